/** Quiet hours, as people type and read them: `22:00-07:00`. */
import { ConfigError } from "../../config.ts";

export interface QuietHours {
  readonly from: string;
  readonly to: string;
}

export function quietInWords({ from, to }: QuietHours): string {
  return `${from}-${to}`;
}

/**
 * `null` for `off`.
 * @throws {ConfigError} if these are no quiet hours.
 */
export function readQuiet(text: string): QuietHours | null {
  if (text === "off") return null;
  const [, from = "", to = ""] = /^((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)$/.exec(text) ?? [];
  if (from !== to) return { from, to };
  throw new ConfigError(`--quiet ${JSON.stringify(text)}: expected two times such as 22:00-07:00, or off`);
}
