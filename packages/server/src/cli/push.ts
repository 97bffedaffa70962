/** `carillon push`: publishes one text, or a stream of them. */
import { channelNameProblem } from "@carillon/protocol/channel";
import type { Json, PublishOptions } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES, MAX_TTL_SECONDS } from "@carillon/protocol/limits";
import { URGENCIES, type Urgency } from "@carillon/protocol/position";
import { ConfigError } from "../config.ts";
import { published } from "../gateway/api/schemas.ts";
import { parseDuration } from "../lib/duration.ts";
import { command, type Io } from "./command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "./endpoint.ts";
import type { Flag, Given } from "./flags.ts";
import { DONE } from "./help.ts";
import { Api } from "./http.ts";
import { openFile, readText } from "./input.ts";
import { patiently } from "./progress.ts";
import { pushLines } from "./push-lines.ts";

const deliveryFlags = {
  ttl: {
    value: "TIME",
    about:
      "how long it is worth delivering, such as 90s, 1h or 3600; 0: to those connected now, kept for nobody",
    initial: "no end",
  },
  urgency: { value: URGENCIES.join("|"), about: "whether a sleeping app is woken", initial: "normal" },
  "collapse-key": { value: "KEY", about: "who returns gets only the last of those with this key" },
  "idempotency-key": { value: "KEY", about: "a repeat with this key within 24 hours publishes nothing" },
  tag: { value: "TAG", about: "marks it", repeats: true },
} as const satisfies Record<string, Flag>;

export const push = command({
  name: "push",
  group: "Use it",
  about: "publish to a channel",
  text: [
    "Publishes TEXT, what --data or --file say, or standard input, without the newline at its end. Answers when it is on disk and on its way to everyone connected.",
    "With --lines each line is a publication of its own; empty ones are passed over. Lines go out as they come in, many in one call, so it keeps up with a file and follows a log. An idempotency key gets the line's number appended: the same file again publishes only what is missing.",
  ],
  args: ["CHANNEL", "[TEXT]"],
  flags: {
    data: { value: "JSON", about: "publish JSON in place of a text" },
    file: { value: "FILE", about: "read the text, or with --lines the lines, from a file" },
    lines: { about: "publish each line of standard input" },
    ...deliveryFlags,
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    'carillon push news "Tea is ready"',
    'carillon push alerts "Disk is full" --urgency high --ttl 1h',
    `carillon push orders --data '{"id": 17, "state": "paid"}'`,
    "pg_dump shop | gzip > shop.gz && carillon push ops 'Backup done' --collapse-key backup",
    "tail -F app.log | carillon push logs --lines",
  ],
  async run({ args: [channel, text], flags }, io) {
    const problem = channelNameProblem(channel);
    if (problem !== undefined) throw new ConfigError(`${JSON.stringify(channel)}: ${problem}`);
    const options = readOptions(flags);
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
      api.json("POST", path, published, { body: { data, ...options } }),
    );
    io.out(json === undefined ? describe(answer) : JSON.stringify(answer));
    return DONE;
  },
});

type Flags = Given<typeof deliveryFlags & typeof endpointFlags, []>["flags"];

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

/** @throws {ConfigError} if what is to be published is said twice. */
function checkSources(
  text: string | undefined,
  {
    data,
    file,
    lines,
  }: {
    readonly data: string | undefined;
    readonly file: string | undefined;
    readonly lines: string | undefined;
  },
): void {
  const said = Object.entries({ TEXT: text, "--data": data, "--file": file }).filter(
    ([, value]) => value !== undefined,
  );
  const [first, second] =
    lines === undefined ? said : [["--lines"], ...said.filter(([name]) => name !== "--file")];
  if (second !== undefined) throw new ConfigError(`${first?.[0]} and ${second[0]} do not go together`);
}

async function read(file: string | undefined, io: Io): Promise<string> {
  if (file !== undefined) return await readText(openFile(file), `--file ${file}`, MAX_DATA_BYTES);
  if (io.keyboard !== undefined) io.err("Type the text; Ctrl-D at the beginning of a line ends it");
  return await readText(io.input(), "standard input", MAX_DATA_BYTES);
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new ConfigError("--data: expected JSON; a text needs no flag");
  }
}

function readOptions(flags: Flags): PublishOptions {
  const { ttl, urgency, tag: tags } = flags;
  const { "collapse-key": collapseKey, "idempotency-key": idempotencyKey } = flags;
  return {
    ...(ttl !== undefined && { ttl: readTtl(ttl) }),
    ...(urgency !== undefined && { urgency: readUrgency(urgency) }),
    ...(collapseKey !== undefined && { collapseKey }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(tags.length > 0 && { tags }),
  };
}

/** Seconds as RFC 8030 has them, or a length of time as everywhere else. */
function readTtl(text: string): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : (parseDuration(text) ?? Number.NaN) / 1_000;
  if (Number.isInteger(seconds) && seconds <= MAX_TTL_SECONDS) return seconds;
  throw new ConfigError(
    `--ttl ${JSON.stringify(text)}: expected whole seconds or a length of time such as 1h, up to 365d`,
  );
}

function readUrgency(text: string): Urgency {
  const urgency = URGENCIES.find((each) => each === text);
  if (urgency !== undefined) return urgency;
  throw new ConfigError(`--urgency ${JSON.stringify(text)}: expected ${URGENCIES.join(", ")}`);
}
