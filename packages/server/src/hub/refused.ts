/** Commands that cannot be carried out, and what their senders are told. */
import type { ErrorCode } from "@carillon/protocol/frames";
import type { AccessProblem } from "./access.ts";

export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const TOKEN_PROBLEMS: Readonly<Record<AccessProblem, { code: ErrorCode; message: string }>> = {
  invalid: { code: "invalid_token", message: "the token is not valid" },
  expired: { code: "token_expired", message: "the token has expired" },
  unavailable: { code: "internal", message: "the token cannot be looked at now" },
};

export function tokenProblem(problem: AccessProblem): { code: ErrorCode; message: string } {
  return TOKEN_PROBLEMS[problem];
}

export function forbidden(what: string): Refused {
  return new Refused("forbidden", `this token does not allow to ${what}`);
}
