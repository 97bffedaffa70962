/**
 * How often a session may hand in a newer token. To check a signature takes 56 to 111 µs, and everybody may ask for it: without
 * a bound, one connection without a token would take a tenth of a core.
 */
import type { Access } from "./access.ts";
import { Refused, tokenProblem } from "./refused.ts";
import type { SessionContext } from "./session.ts";

/** Far more often than a client needs: tokens live for minutes at least. */
const EVERY_MS = 1_000;

/** The `refresh` commands of one session. */
export class Refreshes {
  readonly #context: Pick<SessionContext, "authenticate" | "clock">;
  #isAsking = false;
  /** On the monotonic clock. */
  #mayAskAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: Pick<SessionContext, "authenticate" | "clock">) {
    this.#context = context;
  }

  /**
   * What `token` allows.
   * @throws {Refused} by rejection, if that is nothing, or cannot be asked for yet.
   */
  async authenticate(token: string): Promise<Access> {
    const { clock, authenticate } = this.#context;
    if (this.#isAsking) throw new Refused("rate_limited", "another token is being looked at");
    const waitMs = Math.ceil(this.#mayAskAtMs - clock.monotonicMs());
    if (waitMs > 0) throw new Refused("rate_limited", `too many refreshes; try again in ${waitMs} ms`);
    this.#isAsking = true;
    this.#mayAskAtMs = clock.monotonicMs() + EVERY_MS;
    const authenticated = await authenticate(token);
    this.#isAsking = false;
    if (typeof authenticated !== "string") return authenticated;
    const { code, message } = tokenProblem(authenticated);
    throw new Refused(code, message);
  }
}
