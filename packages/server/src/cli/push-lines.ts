/** `carillon push --lines`: each line a publication, many in one call. */
import type { PublishOptions } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES } from "@carillon/protocol/limits";
import { results } from "../gateway/api/schemas.ts";
import type { Io } from "./command.ts";
import { RefusedError, retold, UnreachableError } from "./errors.ts";
import { DONE } from "./help.ts";
import type { Api } from "./http.ts";
import { type Line, linesOf } from "./input.ts";
import { inThousands, withProgress } from "./progress.ts";

const MOST_LINES = 100;
/** Many a proxy takes no more than 1 MB in one request unless it is told to. */
const MOST_BYTES = 512 * 1_024;
const TOO_MANY_REQUESTS = 429;

export interface LinesToPush {
  readonly channel: string;
  readonly options: PublishOptions;
  readonly input: AsyncIterable<Uint8Array>;
  readonly isJson: boolean;
}

interface Tally {
  published: number;
  duplicates: number;
  first?: number;
  last?: number;
}

export async function pushLines(wanted: LinesToPush, api: Api, io: Io): Promise<number> {
  const { channel, isJson } = wanted;
  const tally: Tally = { published: 0, duplicates: 0 };
  const describe = (elapsedS: number) =>
    `Published ${inThousands(tally.published)} to ${channel} (${inThousands(tally.published / elapsedS)} a second)`;
  const work = retold(
    pushAll(wanted, tally, api, io),
    (reason) => `${reason}; published before: ${tally.published}`,
  );
  await withProgress(io, describe, work);
  io.out(isJson ? JSON.stringify({ channel, ...tally }) : summary(channel, tally));
  return DONE;
}

function summary(channel: string, { published, duplicates, first, last }: Tally): string {
  const where = first === undefined ? "" : `, offsets ${first} to ${last}`;
  const known = duplicates === 0 ? "" : `; ${inThousands(duplicates)} had been before`;
  return `Published ${inThousands(published)} to ${channel}${where}${known}`;
}

async function pushAll(wanted: LinesToPush, tally: Tally, api: Api, io: Io): Promise<void> {
  for await (const lines of linesOf(wanted.input, "lines", MAX_DATA_BYTES)) {
    for (const batch of inBatches(lines)) await pushBatch(batch, wanted, tally, api, io);
  }
}

/** Lines that go out in one call. */
function* inBatches(lines: readonly Line[]): Generator<readonly [Line, ...Line[]]> {
  let batch: Line[] = [];
  let bytes = 0;
  for (const line of lines) {
    const size = Buffer.byteLength(JSON.stringify(line.text));
    const [head, ...tail] = batch;
    if (head !== undefined && (batch.length === MOST_LINES || bytes + size > MOST_BYTES)) {
      yield [head, ...tail];
      batch = [];
      bytes = 0;
    }
    batch.push(line);
    bytes += size;
  }
  const [head, ...tail] = batch;
  if (head !== undefined) yield [head, ...tail];
}

async function pushBatch(
  batch: readonly [Line, ...Line[]],
  wanted: LinesToPush,
  tally: Tally,
  api: Api,
  io: Io,
): Promise<void> {
  const messages = batch.map((line) => messageOf(line, wanted));
  for (;;) {
    const call = api.json("POST", "/v1/batch", results, { body: { messages } });
    try {
      return count((await retold(call, (reason, error) => inLines(reason, error, batch))).results, tally);
    } catch (error) {
      const isTooFast = error instanceof RefusedError && error.status === TOO_MANY_REQUESTS;
      if (!isTooFast || error.retryAfterS === undefined) throw error;
      const waitMs = error.retryAfterS * 1_000;
      await new Promise<void>((resolve) => io.clock.setTimer(waitMs, resolve));
    }
  }
}

function messageOf({ number, text }: Line, { channel, options }: LinesToPush) {
  const { idempotencyKey: key } = options;
  return {
    channel,
    data: text,
    ...options,
    ...(key !== undefined && { idempotencyKey: `${key}-${number}` }),
  };
}

/** The server counts the messages of a call, people the lines of their file. */
function inLines(reason: string, error: Error, batch: readonly [Line, ...Line[]]): string {
  const told = reason.replace(
    /\bmessages\.(\d+)/,
    (_, index: string) => `line ${batch[Number(index)]?.number}`,
  );
  if (!(error instanceof UnreachableError)) return told;
  return `${told}; lines ${batch[0].number} to ${batch.at(-1)?.number} may have been published`;
}

function count(
  answers: readonly { offset?: number | undefined; duplicate?: true | undefined }[],
  tally: Tally,
): void {
  for (const { offset, duplicate } of answers) {
    if (duplicate) {
      tally.duplicates += 1;
      continue;
    }
    tally.published += 1;
    if (offset === undefined) continue;
    tally.first ??= offset;
    tally.last = offset;
  }
}
