import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { openMemoryEngine } from "./memory.ts";
import { describeEngine } from "./testing/conformance.ts";

describeEngine("memory", async (options) => {
  const engine = openMemoryEngine(options);
  return { engine, dispose: () => engine.close() };
});

test("the memory engine has nothing to back up", async () => {
  const engine = openMemoryEngine({ clock: new VirtualClock(), retentionOf: () => ({}) });
  await expect(engine.backup("/nowhere")).rejects.toMatchObject({ name: "EngineError", code: "unsupported" });
  await engine.close();
});
