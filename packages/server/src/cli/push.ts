/** `carillon push`: publishes one text, or a stream of them. */
import { ConfigError } from "../config.ts";
import { command } from "./command.ts";
import { checkOneOf } from "./delivery.ts";
import { type Destination, readDestination, toFlag } from "./destination.ts";
import { readEndpoint } from "./endpoint.ts";
import { Api } from "./http.ts";
import { openFile } from "./input.ts";
import { pushLines } from "./push-lines.ts";
import { pushFlags, pushOne, readOptions, toChannel, toSomebody } from "./push-one.ts";

export const push = command({
  name: "push",
  group: "Use it",
  about: "publish to a channel, or to devices",
  text: [
    "Publishes TEXT, what --data or --file say, or standard input, without the newline at its end. Answers when it is on disk and on its way to everyone connected.",
    "With --to it goes to a device, a user's devices, those with certain tags or all that are registered, in place of a CHANNEL. carillon devices receipts says who got it.",
    "With --at or --delay it is kept as a schedule of one run and published then, on disk when the command ends; carillon schedules lists it. {{now}} and other names stay as they are here.",
    "With --lines each line is a publication of its own; empty ones are passed over. Lines go out as they come in, many in one call, so it keeps up with a file and follows a log. An idempotency key gets the line's number appended: the same file again publishes only what is missing.",
  ],
  args: ["[CHANNEL]", "[TEXT]"],
  flags: {
    ...toFlag,
    "withdraw-on": {
      value: "ack|read",
      about: "to a user: what one of the devices does by which it is taken from the others",
    },
    receipts: {
      about: "keep which devices got it, not only how many; to a device or a user that is always kept",
    },
    data: { value: "JSON", about: "publish JSON in place of a text" },
    file: { value: "FILE", about: "read the text, or with --lines the lines, from a file" },
    lines: { about: "publish each line of standard input; not with --to" },
    ...pushFlags,
  },
  examples: [
    'carillon push news "Tea is ready"',
    'carillon push alerts "Disk is full" --urgency high --ttl 1h',
    'carillon push --to user:ann "Your order is on its way"',
    'carillon push news "Doors open" --at 2026-12-24T18:00:00+01:00',
    `carillon push orders --data '{"id": 17, "state": "paid"}'`,
    "pg_dump shop | gzip > shop.gz && carillon push ops 'Backup done' --collapse-key backup",
    "tail -F app.log | carillon push logs --lines",
  ],
  async run({ args, flags }, io) {
    const { destination, text } = readDestination(args, flags.to);
    const more = readMore(destination, flags);
    const { channel, to } = destination;
    if (flags.lines === undefined) {
      // A channel's name is safe in a path as it is, and some proxies refuse an encoded slash.
      const call =
        channel === undefined
          ? { path: "/v1/messages", answers: toSomebody, where: to, more: { to, ...more } }
          : { path: `/v1/channels/${channel}/messages`, answers: toChannel, where: channel };
      return await pushOne({ ...call, text, flags }, io);
    }
    if (channel === undefined) throw new ConfigError("--lines and --to do not go together");
    const { lines, file, data, at, delay, json } = flags;
    for (const [name, value] of Object.entries({
      TEXT: text,
      "--data": data,
      "--at": at,
      "--delay": delay,
    })) {
      checkOneOf({ "--lines": lines, [name]: value });
    }
    const options = readOptions(flags);
    const input = file === undefined ? io.input() : openFile(file);
    const api = new Api(readEndpoint(flags, io), io);
    return await pushLines({ channel, options, input, isJson: json !== undefined }, api, io);
  },
});

type More = Readonly<Record<"withdraw-on" | "receipts", string | undefined>>;

/**
 * What can be said only of what is for somebody.
 * @throws {ConfigError} if it is said of anything else.
 */
function readMore({ to }: Destination, { "withdraw-on": withdrawOn, receipts }: More): object {
  for (const [name, value] of Object.entries({ "--withdraw-on": withdrawOn, "--receipts": receipts })) {
    if (value !== undefined && to === undefined) {
      throw new ConfigError(`${name} goes with --to only; a channel is --to channel:NAME`);
    }
  }
  if (withdrawOn !== undefined && withdrawOn !== "ack" && withdrawOn !== "read") {
    throw new ConfigError(`--withdraw-on ${JSON.stringify(withdrawOn)}: expected ack or read`);
  }
  if (withdrawOn !== undefined && to?.startsWith("user:") !== true) {
    throw new ConfigError("--withdraw-on goes with --to user:ID only");
  }
  return {
    ...(withdrawOn !== undefined && { withdrawOn }),
    ...(receipts !== undefined && { receipts: true }),
  };
}
