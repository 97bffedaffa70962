/** What the schedules need of the outside: a place to be kept in, and a way to publish. */
import type { Json, PublishOptions } from "@carillon/protocol/frames";

/** Something that is kept, found by its kind and id, or by its time. */
export interface KeptRecord {
  readonly kind: string;
  readonly id: string;
  /** JSON. */
  readonly data: string;
  /** Milliseconds since 1970. */
  readonly dueMs?: number;
}

/**
 * What becomes of a record: it is put in the place of the one before, or, with `data: undefined`, removed. With `expect`, only
 * if the data is this now; `null` for no record.
 */
export type RecordChange = {
  readonly kind: string;
  readonly id: string;
  readonly data: string | undefined;
  readonly dueMs?: number;
  readonly expect?: string | null;
};

/** A channel, or somebody: what names those is for others to say. */
export type Destination =
  | { readonly channel: string; readonly to?: undefined }
  | { readonly to: string; readonly channel?: undefined };

export type ScheduledPublication = Destination &
  PublishOptions & {
    readonly data: Json;
    readonly schedule: string;
    /** RFC 3339. */
    readonly dueAt: string;
    readonly withdrawOn?: "ack" | "read";
    readonly receipts?: true;
  };

export interface SchedulePorts {
  record(kind: string, id: string): Promise<KeptRecord | undefined>;
  /** By id, after `after`. */
  records(kind: string, after: string, limit: number): Promise<readonly KeptRecord[]>;
  /** Those whose time is at most `untilMs`, the earliest first. */
  due(kind: string, untilMs: number, limit: number): Promise<readonly KeptRecord[]>;
  /**
   * Publishes and changes records in one commit, or does neither: `false` when a record was not as expected.
   * Rejects when nothing can be written now.
   */
  commit(items: readonly ScheduledPublication[], changes: readonly RecordChange[]): Promise<boolean>;
}
