/** Why a command failed, where the exit code or the reader wants to know more than a message. */
import { ConfigError } from "../config.ts";

/** There is no server to talk to, or none that answers. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** The server refused. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly status: number;
  /** Stable; empty where the answer is not in Carillon's words. */
  readonly code: string;
  /** Seconds after which it may be tried again, if the server said so. */
  readonly retryAfterS: number | undefined;

  constructor(message: string, { status, code = "", retryAfterS }: Refusal) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

export interface Refusal {
  readonly status: number;
  readonly code?: string | undefined;
  readonly retryAfterS?: number | undefined;
}

/** A person or a process manager asked the command to stop. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

/** `work` with what it throws said as `message` says it; the kind of error stays. */
export async function retold<T>(
  work: Promise<T>,
  message: (reason: string, error: Error) => string,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const told = message(error.message, error);
    if (error instanceof UnreachableError) throw new UnreachableError(told);
    if (error instanceof RefusedError) throw new RefusedError(told, error);
    if (error instanceof ConfigError) throw new ConfigError(told);
    throw error;
  }
}
