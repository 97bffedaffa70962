/** Backup of a running server, and restore into it. */
import { z } from "zod";
import { json, notFound, Refusal, type Route, route } from "./route.ts";

export interface Snapshot {
  readonly size: number;
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** What the routes need. `undefined` where nothing is kept on disk. */
export interface Backups {
  /** The largest piece of an upload, in bytes. */
  readonly pieceBytes: number;
  snapshot(): Promise<Snapshot>;
  /** Begins an upload, whose id it resolves to; one that was under way is dropped. */
  begin(): Promise<string>;
  /** Writes a piece. Answers how much there is now, or what is wrong. */
  write(id: string, offset: number, bytes: Uint8Array): number | "unknown" | "hole";
  /** Has the server start anew with what was uploaded, or says what is wrong with it. */
  apply(id: string): Promise<"applied" | "unknown" | { readonly problem: string }>;
  /** Drops what was uploaded and not applied. */
  close(): Promise<void>;
}

const TYPE = { "content-type": "application/vnd.sqlite3" };
const NOTHING_KEPT = { description: "the server keeps nothing on disk" };
const params = z.strictObject({ restore: z.string().max(64) });
const begun = z.object({ id: z.string(), chunkBytes: z.int() }).meta({ id: "Restore" });
const received = z.object({ bytes: z.int() });

export function backupRoutes(backups: Backups | undefined): Route[] {
  const kept = () => {
    if (backups === undefined) throw new Refusal(409, "nothing_on_disk", "this server keeps nothing on disk");
    return backups;
  };
  const backup = route(
    {
      method: "get",
      path: "/v1/backup",
      needs: "admin",
      summary: "Back up",
      description:
        "A consistent copy of everything that is kept, taken while the server goes on. One SQLite file.",
      answers: {
        200: { description: "the file", contentType: "application/vnd.sqlite3" },
        409: NOTHING_KEPT,
      },
    },
    async ({ request, takesLong }) => {
      if (request.method === "HEAD") return new Response(null, { headers: TYPE });
      takesLong();
      const { size, stream } = await kept().snapshot();
      // A stream goes out in chunks without a length, and one that is cut off is seen by its missing last chunk. The size,
      // for whoever shows progress, stands where RFC 2183 has it.
      const disposition = `attachment; filename="carillon.db"; size=${size}`;
      const headers = { ...TYPE, "content-disposition": disposition };
      return new Response(stream, { headers });
    },
  );
  const begin = route(
    {
      method: "post",
      path: "/v1/restore",
      needs: "admin",
      summary: "Begin to restore",
      description: "Then put the file, piece by piece, and apply it. A restore under way is dropped.",
      answers: {
        201: { description: "begun; pieces are at most `chunkBytes`", schema: begun },
        409: NOTHING_KEPT,
      },
    },
    async () => json(201, { id: await kept().begin(), chunkBytes: kept().pieceBytes }),
  );
  const put = route(
    {
      method: "put",
      path: "/v1/restore/{restore}",
      needs: "admin",
      summary: "Put a piece of the file",
      params,
      query: z.strictObject({
        offset: z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number)
          .meta({ type: "integer", minimum: 0 }),
      }),
      rawBody: { kind: "bytes", description: "the bytes of the file from `offset` on" },
      answers: {
        200: { description: "how many bytes there are now", schema: received },
        404: { description: "there is no restore of this id" },
        409: { description: "something before this piece is missing, or the server keeps nothing on disk" },
        413: { description: "the piece is larger than `chunkBytes`" },
      },
    },
    ({ params: { restore }, query: { offset }, raw }) => {
      const bytes = raw !== undefined && "bytes" in raw ? raw.bytes : new Uint8Array();
      const { pieceBytes } = kept();
      if (bytes.length > pieceBytes) {
        throw new Refusal(413, "payload_too_large", `a piece has at most ${pieceBytes} bytes`);
      }
      const written = kept().write(restore, offset, bytes);
      if (written === "unknown") throw notFound("there is no restore of this id");
      if (written === "hole") throw new Refusal(409, "hole", "offset: something before it is missing");
      return json(200, { bytes: written });
    },
  );
  const apply = route(
    {
      method: "post",
      path: "/v1/restore/{restore}/apply",
      needs: "admin",
      summary: "Restore",
      description:
        "Checks the file and starts the server anew with it, as a new epoch: clients are told, and get what it keeps. What was kept before is left beside it as `carillon.db.before-restore`.",
      params,
      answers: {
        202: { description: "the server restarts; /readyz tells when it is back" },
        404: { description: "there is no restore of this id" },
        409: NOTHING_KEPT,
        422: { description: "the file is damaged, or not a Carillon database; nothing was changed" },
      },
    },
    async ({ params: { restore }, takesLong }) => {
      takesLong();
      const applied = await kept().apply(restore);
      if (applied === "unknown") throw notFound("there is no restore of this id");
      if (applied !== "applied") throw new Refusal(422, "not_restorable", applied.problem);
      return new Response(null, { status: 202 });
    },
  );
  return [backup, begin, put, apply];
}
