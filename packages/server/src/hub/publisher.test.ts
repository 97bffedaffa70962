import { expect, test } from "bun:test";
import type { PublishResult } from "../engine/engine.ts";
import { override, setUpHub } from "./testing/hub-set-up.ts";
import { connected, type Fields, say } from "./testing/v1-client.ts";

test("what waits for a disk that hangs is bounded, and flows again with it", async () => {
  const { promise: diskIsBack, resolve: mendDisk } = Promise.withResolvers<void>();
  const { hub, metrics } = await setUpHub((engine) =>
    override(engine, {
      publish: async (items) => {
        await diskIsBack;
        return engine.publish(items);
      },
    }),
  );
  const data = "x".repeat(60_000);
  const publishing = Array.from({ length: 2_000 }, () => hub.publish([{ channel: "news", data }]));
  const settled = Promise.allSettled(publishing);
  await expect(publishing.at(-1)).rejects.toMatchObject({ code: "unavailable" });
  mendDisk();
  const kept = (await settled).filter(
    (each): each is PromiseFulfilledResult<readonly PublishResult[]> => each.status === "fulfilled",
  );
  expect(kept.length).toBeGreaterThan(1_000);
  expect(kept.length).toBeLessThan(1_200);
  const { values } = await metrics.refused.get();
  expect(values).toEqual([{ labels: { code: "storage_unavailable" }, value: 2_000 - kept.length }]);
  expect(await hub.publish([{ channel: "news", data }])).toMatchObject([{ offset: kept.length + 1 }]);
});

const run = { schedule: "tea", dueAt: "2026-11-24T09:30:00.000Z" };

/** A hub with a client that watches `news`, and what it has received of it. */
async function watched() {
  const hub = await setUpHub();
  const client = await connected(hub);
  await say(client, { type: "subscribe", id: 2, channel: "news" });
  const publications = () =>
    client.outbound.frames
      .map((frame): Fields => JSON.parse(frame))
      .flatMap(({ type, publication }) => (type === "publication" ? [publication as Fields] : []));
  return { ...hub, client, publications };
}

test("a publication says of which schedule it is and when it was due, also in the history", async () => {
  const { hub, client, publications } = await watched();
  await hub.publish([{ channel: "news", data: "tea", ttl: 60, ...run }]);
  expect(publications()).toMatchObject([{ data: "tea", ttl: 60, ...run }]);
  const [history] = await say(client, { type: "history", id: 3, channel: "news" });
  expect(history).toMatchObject({ publications: [{ data: "tea", ttl: 60, ...run }] });
  await hub.publish([{ channel: "news", data: "no schedule" }]);
  expect(Object.keys(publications()[1] ?? {})).not.toContain("schedule");
});

test("a client cannot say that what it publishes is of a schedule", async () => {
  const { client, publications } = await watched();
  await say(client, { type: "publish", id: 3, channel: "news", data: 1, urgency: "high", ...run });
  expect(publications()).toMatchObject([{ data: 1, urgency: "high" }]);
  const said = Object.keys(publications()[0] ?? {});
  for (const field of Object.keys(run)) expect(said).not.toContain(field);
});

test("records are changed with the publication, or neither is", async () => {
  const { hub, engine, publications } = await watched();
  const publish = () =>
    hub.publish(
      [{ channel: "news", data: "tea" }],
      [{ kind: "run", id: "tea", data: "1", dueMs: 5, expect: null }],
    );
  expect(await publish()).toMatchObject([{ offset: 1 }]);
  expect(await engine.record("run", "tea")).toEqual({ kind: "run", id: "tea", data: "1", dueMs: 5 });
  await expect(publish()).rejects.toMatchObject({ code: "conflict" });
  expect(publications()).toHaveLength(1);
});

test("the changes that wait for a disk are bounded, too", async () => {
  const { promise: diskIsBack, resolve: mendDisk } = Promise.withResolvers<void>();
  const { hub } = await setUpHub((engine) =>
    override(engine, { publish: (items, changes) => diskIsBack.then(() => engine.publish(items, changes)) }),
  );
  const record = { kind: "run", id: "a", data: "x".repeat(10_000_000) };
  const saving = Array.from({ length: 7 }, () => hub.publish([], [record]));
  const settled = Promise.allSettled(saving);
  await expect(saving.at(-1)).rejects.toMatchObject({ code: "unavailable" });
  mendDisk();
  expect((await settled).filter(({ status }) => status === "fulfilled")).toHaveLength(6);
});
