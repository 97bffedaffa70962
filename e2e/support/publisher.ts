/**
 * A program that opens the SQLite engine on a directory and publishes until it is killed, many calls at a time. It
 * writes a line for each publication AFTER its call has resolved: what is written here was promised.
 *
 *     bun e2e/support/publisher.ts DIR LIFE
 */

import type { Accepted, NewPublication, PublishResult } from "../../packages/server/src/engine/engine.ts";
import { openSqliteEngine } from "../../packages/server/src/engine/sqlite/sqlite.ts";
import { systemClock } from "../../packages/server/src/lib/clock.ts";
import { silentLog } from "../../packages/server/src/lib/log.ts";

const [dir = "", life = ""] = process.argv.slice(2);

const CALLERS = 40;
const CHANNELS = 5;
const RETRY_MS = 20;
let made = 0;

try {
  const engine = await openSqliteEngine({ dir, clock: systemClock, log: silentLog, retentionOf: () => ({}) });
  engine.onPublication(announced);
  process.stdout.write("open\n");
  await Promise.all(Array.from({ length: CALLERS }, () => publishForever(engine.publish.bind(engine))));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

type Publish = (items: readonly NewPublication[]) => Promise<readonly PublishResult[]>;

async function publishForever(publish: Publish): Promise<void> {
  for (;;) {
    const items = Array.from({ length: 1 + (made % 3) }, newPublication);
    const results = await publish(items).catch(refused);
    if (results === undefined) continue;
    const lines = results.map(({ id, offset, epoch }, index) =>
      JSON.stringify({
        channel: items[index]?.channel,
        id,
        offset,
        epoch,
        key: items[index]?.idempotencyKey,
      }),
    );
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}

function newPublication(): NewPublication {
  made += 1;
  const id = `${life}-${made}`;
  const base = {
    id,
    channel: `channel-${made % CHANNELS}`,
    timeMs: systemClock.wallMs(),
    lane: (made % 3) as 0,
  };
  return {
    ...base,
    data: JSON.stringify("x".repeat(made % 300)),
    meta: "",
    stored: true,
    idempotencyKey: id,
  };
}

/** Says why, and tries again a little later. */
async function refused(error: Error): Promise<undefined> {
  process.stdout.write(`refused ${error.message}\n`);
  await new Promise<void>((resolve) => systemClock.setTimer(RETRY_MS, resolve));
}

/** Nobody may hear of what is not kept: the test compares. */
function announced(commit: readonly Accepted[]): void {
  process.stdout.write(`${commit.map(({ id }) => `announced ${id}`).join("\n")}\n`);
}
