/**
 * Channel names: 1 to 200 of `A–Z a–z 0–9 _ - . : / @ ~`, no leading `$` (those are the server's own), and no
 * empty or dot-only segment between slashes, so that a name is always safe as a URL path.
 */
import { MAX_CHANNEL_NAME_LENGTH } from "./limits.ts";

const ALPHABET = /^[A-Za-z0-9_.:/@~-]+$/;
const DOTS_ONLY = /^\.*$/;

/** Why `name` is not a channel name, in one line for people; `undefined` when it is one. */
export function channelNameProblem(name: string): string | undefined {
  if (name.length === 0) return "a channel name cannot be empty";
  if (name.length > MAX_CHANNEL_NAME_LENGTH) {
    return `a channel name has at most ${MAX_CHANNEL_NAME_LENGTH} characters`;
  }
  if (name.startsWith("$")) return "channel names that begin with $ are the server's own";
  if (!ALPHABET.test(name)) return "a channel name is made of A-Z a-z 0-9 _ - . : / @ ~";
  if (name.split("/").some((segment) => DOTS_ONLY.test(segment))) {
    return "a channel name has no empty or dot-only part between slashes";
  }
  return undefined;
}
