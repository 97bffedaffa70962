/** Commands that cannot be carried out, and what their senders are told. */
import { CloseCode } from "@carillon/protocol/codes";
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

export interface TokenProblem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly closeCode: CloseCode;
}

const TOKEN_PROBLEMS: Readonly<Record<AccessProblem, TokenProblem>> = {
  missing: {
    code: "invalid_token",
    message: "a token is needed",
    closeCode: CloseCode.unauthorized,
  },
  invalid: {
    code: "invalid_token",
    message: "the token is not valid",
    closeCode: CloseCode.unauthorized,
  },
  expired: {
    code: "token_expired",
    message: "the token has expired",
    closeCode: CloseCode.tokenExpired,
  },
  unavailable: {
    code: "internal",
    message: "the token cannot be looked at now",
    closeCode: CloseCode.tryAgainLater,
  },
};

export function tokenProblem(problem: AccessProblem): TokenProblem {
  return TOKEN_PROBLEMS[problem];
}

export function forbidden(what: string): Refused {
  return new Refused("forbidden", `this token does not allow to ${what}`);
}
