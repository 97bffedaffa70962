/** Close codes as they are counted: a client can say any of 2,000 others, and each would be a series of its own. */
import { ABNORMAL_CLOSURE, CloseCode } from "@carillon/protocol/codes";

/** RFC 6455's "no code was given" and "broke the protocol", besides ours. */
const COUNTED: ReadonlySet<number> = new Set([...Object.values(CloseCode), ABNORMAL_CLOSURE, 1002, 1005]);

/** The code, or `other`. */
export function countedCode(code: number): number | "other" {
  return COUNTED.has(code) ? code : "other";
}
