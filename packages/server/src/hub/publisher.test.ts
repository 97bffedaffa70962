import { expect, test } from "bun:test";
import type { PublishResult } from "../engine/engine.ts";
import { override, setUpHub } from "./testing/hub-set-up.ts";

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
