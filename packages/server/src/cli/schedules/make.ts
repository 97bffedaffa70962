/** `carillon schedules add` and `edit`: schedules as flags say they are. */
import { ConfigError } from "../../config.ts";
import { printable } from "../../lib/printable.ts";
import { command } from "../command.ts";
import { checkChannel, checkOneOf } from "../delivery.ts";
import { checkTarget, readDestination, toFlag } from "../destination.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { DONE } from "../help.ts";
import { Api } from "../http.ts";
import { patiently } from "../progress.ts";
import { KINDS, readFields, saysWhen, scheduleFlags } from "./fields.ts";
import { pathOf, placeOf, type View, view } from "./view.ts";
import { nextInWords, ruleInWords } from "./words.ts";

const NAMES =
  "In the text, {{now}} is the time of the run, {{dueAt}} when it was due, {{run}} its number and {{schedule}} the schedule's ID; {{now|HH:mm}} and {{now|HH:mm|Asia/Tokyo}} have a format and a zone.";

export const addSchedule = command({
  name: "schedules add",
  group: "Use it",
  about: "publish again and again, or once at a later time",
  text: [
    "Has the server publish TEXT, or what --text or --data say, when --every, --cron, --at or --delay are due, also after a restart. Prints the schedule's ID.",
    NAMES,
    "carillon schedules next takes the same flags and says when that would be.",
  ],
  args: ["[CHANNEL]", "[TEXT]"],
  flags: { ...toFlag, ...scheduleFlags, ...endpointFlags, ...jsonFlag },
  examples: [
    'carillon schedules add news --cron "0 9 * * 1-5" --time-zone Asia/Shanghai --text "Good morning"',
    'carillon schedules add push "It is {{now|HH:mm}}" --every 15m --align --ttl 10m',
    'carillon schedules add doors "They open" --at 2026-12-24T18:00:00+01:00 --urgency high',
    `carillon schedules add --to 'tag:android & tag:beta' "A new build is out" --cron "0 10 * * 5"`,
    `carillon schedules add sensors --every 1h --jitter 5m --data '{"read": "all", "run": "{{run}}"}'`,
  ],
  async run({ args, flags }, io) {
    const { destination, text } = readDestination(args, flags.to);
    if (!saysWhen(flags)) throw new ConfigError("say when: --every, --cron, --at or --delay");
    const { data, ...fields } = readFields(flags, text);
    if (data === undefined) throw new ConfigError("say what is published: TEXT, --text or --data");
    const api = new Api(readEndpoint(flags, io), io);
    const body = { ...destination, data, ...fields };
    const made = await patiently(io, api.url, api.json("POST", "/v1/schedules", view, { body }));
    io.out(flags.json === undefined ? describe("Made", made, io.clock.wallMs()) : JSON.stringify(made));
    return DONE;
  },
});

/** What may be taken away, by its flag. */
const REMOVABLE = {
  align: "align",
  jitter: "jitter",
  until: "until",
  "max-runs": "maxRuns",
  misfire: "misfire",
  ttl: "ttl",
  urgency: "urgency",
  "collapse-key": "collapseKey",
  tag: "tags",
} as const;

export const editSchedule = command({
  name: "schedules edit",
  group: "Use it",
  about: "change one, from now on",
  text: [
    "Changes what the flags name and leaves the rest as it is, in force at once. With another --every, --cron, --at or --delay it is due by that and no longer by what was said before. --every and --delay count from now.",
    NAMES,
  ],
  args: ["ID", "[TEXT]"],
  flags: {
    channel: { value: "CHANNEL", about: "publish to this one" },
    to: { value: "TARGET", about: "publish to these, such as user:ann or everyone" },
    ...scheduleFlags,
    remove: {
      value: "FLAG",
      about: `takes away what was said before; one of ${Object.keys(REMOVABLE).join(", ")}`,
      repeats: true,
    },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    'carillon schedules edit k3v9ZqaB "Good evening" --cron "0 18 * * 1-5"',
    "carillon schedules edit k3v9ZqaB --urgency low --remove until --remove ttl",
  ],
  async run({ args: [id, text], flags }, io) {
    const { channel, to } = flags;
    checkOneOf({ "--channel": channel, "--to": to });
    if (channel !== undefined) checkChannel(channel);
    if (to !== undefined) checkTarget(to);
    const destination = { ...(channel !== undefined && { channel }), ...(to !== undefined && { to }) };
    const fields = readFields(flags, text);
    const removed = flags.remove.map(readRemoved);
    // One of them says when; a schedule of another kind that is aligned would be refused.
    const replaced = saysWhen(flags) ? [...KINDS, "align"] : [];
    const nothing = Object.fromEntries([...replaced, ...removed].map((name) => [name, null]));
    const body = { ...nothing, ...destination, ...fields };
    if (Object.keys(body).length === 0) throw new ConfigError("say what is to change: TEXT or a flag");
    const api = new Api(readEndpoint(flags, io), io);
    const changed = await patiently(io, api.url, api.json("PATCH", pathOf(id), view, { body }));
    io.out(
      flags.json === undefined ? describe("Changed", changed, io.clock.wallMs()) : JSON.stringify(changed),
    );
    return DONE;
  },
});

function readRemoved(name: string): string {
  if (Object.hasOwn(REMOVABLE, name)) return REMOVABLE[name as keyof typeof REMOVABLE];
  throw new ConfigError(`--remove ${JSON.stringify(name)}: expected ${Object.keys(REMOVABLE).join(", ")}`);
}

function describe(done: string, made: View, nowMs: number): string {
  const next = nextInWords(made, nowMs);
  const { id, nextDueAt } = made;
  const rule = ruleInWords(made);
  return printable(`${done} ${id}: ${placeOf(made)}, ${rule}, ${nextDueAt === null ? next : `next ${next}`}`);
}
