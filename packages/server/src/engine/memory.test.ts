import { openMemoryEngine } from "./memory.ts";
import { describeEngine } from "./testing/conformance.ts";

describeEngine("memory", async (options) => {
  const engine = openMemoryEngine(options);
  return { engine, dispose: () => engine.close() };
});
