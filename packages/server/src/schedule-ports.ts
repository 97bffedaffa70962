/** Schedules are kept by the engine, and published by the hub: in one commit. */
import { type Engine, EngineError } from "./engine/engine.ts";
import type { Hub } from "./hub/hub.ts";
import type { SchedulePorts } from "./schedule/ports.ts";

export function schedulePorts(engine: Engine, hub: Hub): SchedulePorts {
  return {
    record: (kind, id) => engine.record(kind, id),
    records: (kind, after, limit) => engine.records(kind, after, limit),
    due: (kind, untilMs, limit) => engine.due(kind, untilMs, limit),
    async commit(items, changes) {
      try {
        if (items.length > 0) await hub.publish(items, changes);
        else await engine.saveRecords(changes);
        return true;
      } catch (error) {
        if (error instanceof EngineError && error.code === "conflict") return false;
        throw error;
      }
    },
  };
}
