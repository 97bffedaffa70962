/** What can go wrong, typed: an error code of the protocol, or one of the client's own. */
import type { ErrorCode } from "@carillon/protocol/frames";

export type ClientErrorCode =
  | ErrorCode
  /** No answer in time, or no connection to ask on. */
  | "timeout"
  /** The connection ended before the answer; it is not known whether the command was carried out. */
  | "connection_lost"
  /** The client was closed, by the app or by the server for good. */
  | "closed";

/** Errors that another attempt may not see. */
export const PASSING: ReadonlySet<ClientErrorCode> = new Set([
  "storage_unavailable",
  "timeout",
  "internal",
  "too_many_pending",
] as const);

export class CarillonError extends Error {
  override readonly name = "CarillonError";
  /** Stable; programs may compare it. */
  readonly code: ClientErrorCode;
  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
