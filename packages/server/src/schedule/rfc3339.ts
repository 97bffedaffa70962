/** Moments as RFC 3339 writes them: `2026-11-24T09:30:00Z`, `2026-11-24T10:30:00.5+01:00`. */

const FORM =
  /^(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?)([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Milliseconds since 1970, finer parts left out; `undefined` when `text` is no such moment. A zone is required. */
export function parseRfc3339(text: string): number | undefined {
  const [, date = "", time = "", zone = ""] = FORM.exec(text) ?? [];
  // JavaScript takes 30 February for 1 March.
  const day = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== date) return undefined;
  return Math.floor(Date.parse(`${date}T${time.replace(/(\.\d{3})\d+/, "$1")}${zone.toUpperCase()}`));
}
