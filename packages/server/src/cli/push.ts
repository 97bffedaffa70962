/** `carillon push`: publishes one text, or a stream of them. */
import type { PublishOptions } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES } from "@carillon/protocol/limits";
import { z } from "zod";
import { published, scheduled } from "../gateway/api/schemas.ts";
import { printable } from "../lib/printable.ts";
import type { RuleFields } from "../schedule/rule.ts";
import { command, type Io } from "./command.ts";
import { checkChannel, checkOneOf, deliveryFlags, parseJson, readDelivery } from "./delivery.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "./endpoint.ts";
import type { Flag, Given } from "./flags.ts";
import { DONE } from "./help.ts";
import { Api } from "./http.ts";
import { openFile, readText } from "./input.ts";
import { patiently } from "./progress.ts";
import { pushLines } from "./push-lines.ts";
import { checkRule, onceFlags } from "./schedules/fields.ts";
import { inWords } from "./schedules/words.ts";

const pushFlags = {
  ...onceFlags,
  ...deliveryFlags,
  "idempotency-key": { value: "KEY", about: "a repeat with this key within 24 hours publishes nothing" },
} as const satisfies Record<string, Flag>;

const answers = z.union([scheduled, published]);

export const push = command({
  name: "push",
  group: "Use it",
  about: "publish to a channel",
  text: [
    "Publishes TEXT, what --data or --file say, or standard input, without the newline at its end. Answers when it is on disk and on its way to everyone connected.",
    "With --at or --delay it is kept as a schedule of one run and published then, on disk when the command ends; carillon schedules lists it. {{now}} and other names stay as they are here.",
    "With --lines each line is a publication of its own; empty ones are passed over. Lines go out as they come in, many in one call, so it keeps up with a file and follows a log. An idempotency key gets the line's number appended: the same file again publishes only what is missing.",
  ],
  args: ["CHANNEL", "[TEXT]"],
  flags: {
    data: { value: "JSON", about: "publish JSON in place of a text" },
    file: { value: "FILE", about: "read the text, or with --lines the lines, from a file" },
    lines: { about: "publish each line of standard input" },
    ...pushFlags,
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    'carillon push news "Tea is ready"',
    'carillon push alerts "Disk is full" --urgency high --ttl 1h',
    'carillon push news "Doors open" --at 2026-12-24T18:00:00+01:00',
    `carillon push orders --data '{"id": 17, "state": "paid"}'`,
    "pg_dump shop | gzip > shop.gz && carillon push ops 'Backup done' --collapse-key backup",
    "tail -F app.log | carillon push logs --lines",
  ],
  async run({ args: [channel, text], flags }, io) {
    checkChannel(channel);
    const options = readOptions(flags);
    const when = readOnce(flags);
    checkSources(text, flags);
    const { file, lines, json } = flags;
    if (lines !== undefined) {
      const input = file === undefined ? io.input() : openFile(file);
      return await pushLines({ channel, options, input, isJson: json !== undefined }, connect(flags, io), io);
    }
    const data = flags.data === undefined ? (text ?? (await read(file, io))) : parseJson(flags.data);
    const api = connect(flags, io);
    // A channel's name is safe in a path as it is, and some proxies refuse an encoded slash.
    const path = `/v1/channels/${channel}/messages`;
    const answer = await patiently(
      io,
      api.url,
      api.json("POST", path, answers, { body: { data, ...when, ...options } }),
    );
    if (json !== undefined) io.out(JSON.stringify(answer));
    else io.out("schedule" in answer ? describeLater(answer, io) : describe(answer));
    return DONE;
  },
});

type Flags = Given<typeof pushFlags & typeof endpointFlags, []>["flags"];

function connect(flags: Flags, io: Io): Api {
  return new Api(readEndpoint(flags, io), io);
}

function describe({
  channel,
  offset,
  duplicate,
}: {
  channel: string;
  offset?: number | undefined;
  duplicate?: true | undefined;
}): string {
  if (offset === undefined) return `Sent to those connected to ${channel}; kept for nobody`;
  return duplicate
    ? `Already published to ${channel} at offset ${offset}: the idempotency key is known`
    : `Published to ${channel} at offset ${offset}`;
}

function describeLater(
  {
    schedule,
    dueAt,
    duplicate,
  }: { readonly schedule: string; readonly dueAt: string; readonly duplicate?: true | undefined },
  { clock }: Pick<Io, "clock">,
): string {
  if (duplicate) return `Accepted before, for ${dueAt}: the idempotency key is known`;
  const when = inWords(Date.parse(dueAt), clock.wallMs());
  return `To be published ${when}; carillon schedules delete ${printable(schedule)} cancels it`;
}

/** @throws {ConfigError} if what is to be published is said twice. */
function checkSources(
  text: string | undefined,
  {
    data,
    file,
    lines,
    at,
    delay,
  }: Readonly<Record<"data" | "file" | "lines" | "at" | "delay", string | undefined>>,
): void {
  checkOneOf({ TEXT: text, "--data": data, "--file": file });
  for (const [name, value] of Object.entries({ TEXT: text, "--data": data, "--at": at, "--delay": delay })) {
    checkOneOf({ "--lines": lines, [name]: value });
  }
}

async function read(file: string | undefined, io: Io): Promise<string> {
  if (file !== undefined) return await readText(openFile(file), `--file ${file}`, MAX_DATA_BYTES);
  if (io.keyboard !== undefined) io.err("Type the text; Ctrl-D at the beginning of a line ends it");
  return await readText(io.input(), "standard input", MAX_DATA_BYTES);
}

function readOptions(flags: Flags): PublishOptions {
  const { "idempotency-key": idempotencyKey } = flags;
  return { ...readDelivery(flags), ...(idempotencyKey !== undefined && { idempotencyKey }) };
}

/** @throws {ConfigError} if it is to be published later, and cannot be. */
function readOnce({ at, delay }: Pick<Flags, "at" | "delay">): Pick<RuleFields, "at" | "delay"> {
  checkOneOf({ "--at": at, "--delay": delay });
  const when = { ...(at !== undefined && { at }), ...(delay !== undefined && { delay }) };
  checkRule(when);
  return when;
}
