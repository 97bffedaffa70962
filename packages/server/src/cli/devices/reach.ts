/** `carillon devices switch`, `push` and `receipts`: what reaches a device. */
import { ConfigError } from "../../config.ts";
import { printable } from "../../lib/printable.ts";
import { command } from "../command.ts";
import { checkChannel } from "../delivery.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { DONE } from "../help.ts";
import { Api } from "../http.ts";
import { patiently } from "../progress.ts";
import { pushFlags, pushOne, toSomebody } from "../push-one.ts";
import { momentOf } from "../schedules/words.ts";
import { fieldsOf, tableOf } from "../table.ts";
import { countFlag, firstOf, readCount, THERE_ARE_MORE } from "./pages.ts";
import { funnel, pathOf, receiptPage, subscription } from "./view.ts";
import { quietInWords, readQuiet } from "./words.ts";

/** How the switches of a device's own channels are called. */
const INBOXES = ["$device", "$user", "$all"];

export const switchPush = command({
  name: "devices switch",
  group: "Use it",
  about: "switch push on or off, for one channel",
  text: [
    "Says whether a device is pushed what a channel gets, in force at once. What comes while it is off is not kept for it. $device, $user and $all are what is pushed to it alone, to its user and to everyone.",
    "In its quiet hours everything but --urgency high waits until they end. Without --quiet they stay as they are.",
  ],
  args: ["ID", "CHANNEL", "on|off"],
  flags: {
    quiet: { value: "22:00-07:00|off", about: "quiet hours, by the clock of the device's time zone" },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    "carillon devices switch d_7Hq2mXc9TzR4vKpWb1Ns news off",
    "carillon devices switch d_7Hq2mXc9TzR4vKpWb1Ns '$all' on --quiet 22:00-07:00",
  ],
  async run({ args: [id, channel, position], flags }, io) {
    if (!INBOXES.includes(channel)) checkChannel(channel);
    if (position !== "on" && position !== "off") {
      throw new ConfigError(`${JSON.stringify(position)}: expected on or off`);
    }
    const quietHours = flags.quiet === undefined ? undefined : readQuiet(flags.quiet);
    const body = { push: position === "on", ...(quietHours !== undefined && { quietHours }) };
    const api = new Api(readEndpoint(flags, io), io);
    const path = `${pathOf(id)}/subscriptions/${channel}`;
    const answer = await patiently(io, api.url, api.json("PUT", path, subscription, { body }));
    if (flags.json !== undefined) io.out(JSON.stringify(answer));
    else {
      const { push, quietHours: quiet } = answer;
      const rest = quiet === undefined ? "" : `, quiet ${quietInWords(quiet)}`;
      io.out(printable(`${id}: ${answer.channel} is ${push ? "on" : "off"}${rest}`));
    }
    return DONE;
  },
});

export const pushToDevice = command({
  name: "devices push",
  group: "Use it",
  about: "publish to one alone",
  text: [
    "Publishes TEXT, what --data or --file say, or standard input to one device. If it is away, it is kept for it. Everything else is as with carillon push.",
  ],
  args: ["ID", "[TEXT]"],
  flags: {
    data: { value: "JSON", about: "publish JSON in place of a text" },
    file: { value: "FILE", about: "read the text from a file" },
    ...pushFlags,
  },
  examples: ['carillon devices push d_7Hq2mXc9TzR4vKpWb1Ns "Your taxi is here" --urgency high --ttl 10m'],
  async run({ args: [id, text], flags }, io) {
    const path = `${pathOf(id)}/messages`;
    return await pushOne({ path, answers: toSomebody, where: `device:${printable(id)}`, text, flags }, io);
  },
});

export const showReceipts = command({
  name: "devices receipts",
  group: "Use it",
  about: "show how many devices got a publication",
  text: [
    "Shows how many devices a publication was for, how many it was sent to, how many have received and read it, and for how many it has expired. MESSAGE is its ID: carillon push --to, --json and the history tell it.",
    "With --who also which devices, and when: for what went to a device or a user, and where its publisher asked for it.",
  ],
  args: ["MESSAGE"],
  flags: { who: { about: "which devices" }, ...countFlag, ...endpointFlags, ...jsonFlag },
  examples: ["carillon devices receipts 0mrn7w2c8000k3v9zq --who"],
  async run({ args: [id], flags }, io) {
    const count = readCount(flags.count);
    const api = new Api(readEndpoint(flags, io), io);
    const path = `/v1/messages/${encodeURIComponent(id)}`;
    const counts = await patiently(io, api.url, api.json("GET", path, funnel));
    const ask = async (query: Record<string, string | number>) => {
      const { receipts, next } = await api.json("GET", `${path}/receipts`, receiptPage, { query });
      return { items: receipts, next };
    };
    const who = flags.who === undefined ? undefined : await patiently(io, api.url, firstOf(count, ask));
    if (flags.json !== undefined) {
      io.out(JSON.stringify({ ...counts, ...(who && { receipts: who.items, next: who.next }) }));
      return DONE;
    }
    const { channel, time, recipients, sent, received, read, expired } = counts;
    const published = time && momentOf(time);
    const lines = fieldsOf({ id, channel, published, recipients, sent, received, read, expired });
    for (const line of lines) io.out(line);
    if (who === undefined || who.items.length === 0) return DONE;
    const rows = who.items.map(({ device, sentAt, receivedAt, readAt }) => [
      device,
      ...[sentAt, receivedAt, readAt].map((at) => (at === undefined ? "-" : momentOf(at))),
    ]);
    for (const line of ["", ...tableOf(["DEVICE", "SENT", "RECEIVED", "READ"], rows)]) io.out(line);
    if (who.next !== null) io.err(THERE_ARE_MORE);
    return DONE;
  },
});
