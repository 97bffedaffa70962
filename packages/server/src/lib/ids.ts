/** Identifiers. The only place, besides `clock`, where chance comes in. */

/** Makes a new id at each call. */
export type NextId = () => string;

/**
 * Ids that are unique across restarts and nodes (48 random bits for the process) and cheap to make by the
 * ten thousand (a counter for the rest). They are names, not secrets.
 */
export function sequentialIds(): NextId {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  const prefix = Buffer.from(bytes).toString("base64url");
  let last = 0;
  return () => `${prefix}-${(++last).toString(36)}`;
}
