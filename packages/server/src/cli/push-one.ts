/** One publication, as `push` and `devices push` make it. */
import type { PublishOptions } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES } from "@carillon/protocol/limits";
import { z } from "zod";
import { published, scheduled } from "../gateway/api/schemas.ts";
import { printable } from "../lib/printable.ts";
import type { RuleFields } from "../schedule/rule.ts";
import type { Io } from "./command.ts";
import { checkOneOf, deliveryFlags, parseJson, readDelivery } from "./delivery.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "./endpoint.ts";
import type { Flag, Given } from "./flags.ts";
import { DONE } from "./help.ts";
import { Api } from "./http.ts";
import { openFile, readText } from "./input.ts";
import { patiently } from "./progress.ts";
import { checkRule, onceFlags } from "./schedules/fields.ts";
import { inWords } from "./schedules/words.ts";

/** How it is delivered, and when. */
export const pushFlags = {
  ...onceFlags,
  ...deliveryFlags,
  "idempotency-key": { value: "KEY", about: "a repeat with this key within 24 hours publishes nothing" },
  ...endpointFlags,
  ...jsonFlag,
} as const satisfies Record<string, Flag>;

const sourceFlags = { data: { value: "JSON", about: "" }, file: { value: "FILE", about: "" } } as const;
type Flags = Given<typeof pushFlags & typeof sourceFlags, []>["flags"];

/** Of one to a channel. */
export const toChannel = z.union([scheduled, published]);
const addressed = published.extend({ channel: z.string().optional(), to: z.string().optional() });
/** Of one to somebody. */
export const toSomebody = z.union([scheduled, addressed]);

export interface OnePush {
  readonly path: string;
  readonly answers: typeof toChannel | typeof toSomebody;
  /** To whom, as people say it. */
  readonly where: string;
  /** What the body says besides the data and the options. */
  readonly more?: object;
  readonly text: string | undefined;
  readonly flags: Flags;
}

/**
 * Publishes, and tells what became of it.
 * @throws {ConfigError} if a flag is no good, or what is to be published is said twice.
 */
export async function pushOne({ path, answers, where, more, text, flags }: OnePush, io: Io): Promise<number> {
  const options = { ...readOnce(flags), ...readOptions(flags) };
  checkOneOf({ TEXT: text, "--data": flags.data, "--file": flags.file });
  const data = flags.data === undefined ? (text ?? (await read(flags.file, io))) : parseJson(flags.data);
  const api = new Api(readEndpoint(flags, io), io);
  const body = { ...more, data, ...options };
  const answer = await patiently(io, api.url, api.json("POST", path, answers, { body }));
  if (flags.json !== undefined) io.out(JSON.stringify(answer));
  else io.out("schedule" in answer ? describeLater(answer, io) : describe(answer, where));
  return DONE;
}

function describe(
  { id, channel, offset, duplicate }: z.output<typeof published> | z.output<typeof addressed>,
  where: string,
): string {
  if (offset === undefined) return `Sent to those connected to ${where}; kept for nobody`;
  const place = channel === where ? `at offset ${offset}` : `as ${printable(id)}`;
  return duplicate
    ? `Already published to ${where} ${place}: the idempotency key is known`
    : `Published to ${where} ${place}`;
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

async function read(file: string | undefined, io: Io): Promise<string> {
  if (file !== undefined) return await readText(openFile(file), `--file ${file}`, MAX_DATA_BYTES);
  if (io.keyboard !== undefined) io.err("Type the text; Ctrl-D at the beginning of a line ends it");
  return await readText(io.input(), "standard input", MAX_DATA_BYTES);
}

/** @throws {ConfigError} if one of the flags is no good. */
export function readOptions(flags: Omit<Flags, "data" | "file">): PublishOptions {
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
