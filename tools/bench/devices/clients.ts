/** Thousands of clients in one process of their own, and what it is told. */
import { join } from "node:path";
import type { FileSink } from "bun";
import { linesOf } from "../lib/load.ts";
import { kill, start } from "../lib/processes.ts";

/** One client: of `carillon.v1` where `connect` is given, else of plain text. */
export interface Client {
  /** The query of the address, `?token=…`, or "". */
  readonly query: string;
  /** What `connect` says. */
  readonly connect?: { readonly token?: string };
  /** What it subscribes to, besides the inbox that it is told of. */
  readonly channels: readonly string[];
}

/** Publications that have come, and when the first and the last did, in milliseconds since 1970. */
export interface Deliveries {
  count: number;
  firstMs: number;
  lastMs: number;
}

/** Each is answered: `await` with deliveries, the others with null. */
export type Order =
  | { readonly do: "connect"; readonly base: string; readonly file: string }
  /** Whether what comes is acknowledged. */
  | { readonly do: "acks"; readonly on: boolean }
  /** Counts anew. */
  | { readonly do: "begin" }
  /** Answered when so many have come since, or after the limit. */
  | { readonly do: "await"; readonly count: number; readonly limitMs: number }
  | { readonly do: "close" };

export interface Clients {
  tell(order: Order): Promise<Deliveries | null>;
  stop(): Promise<void>;
}

/** Connects all of them; resolves when they are subscribed. @throws {Error} when one is not let in. */
export async function startClients(
  clients: readonly Client[],
  { base, core, directory }: { readonly base: string; readonly core: number; readonly directory: string },
): Promise<Clients> {
  const file = join(directory, "clients.json");
  await Bun.write(file, JSON.stringify(clients));
  const program = join(import.meta.dir, "clients-process.ts");
  const child = start([process.execPath, program], { core, stdin: "pipe", stdout: "pipe" });
  const answers = linesOf(child.stdout as ReadableStream<Uint8Array>);
  const tell = async (order: Order) => {
    const stdin = child.stdin as FileSink;
    stdin.write(`${JSON.stringify(order)}\n`);
    stdin.flush();
    const { value } = await answers.next();
    if (value === undefined) throw new Error("the clients have ended");
    return JSON.parse(value) as Deliveries | null;
  };
  await tell({ do: "connect", base, file });
  return { tell, stop: () => kill(child) };
}
