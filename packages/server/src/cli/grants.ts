/** What a token may do, as flags and in words. */
import { ConfigError } from "../config.ts";
import { parseDuration } from "../lib/duration.ts";

const GRANTS = ["subscribe", "publish", "history", "presence"] as const;
export type Grants = Readonly<Record<(typeof GRANTS)[number], readonly string[]>>;

const grantFlag = (about: string) => ({ value: "PATTERN", about, repeats: true }) as const;

/** A pattern is a channel's name in which `*` stands for any letters. */
export const grantFlags = {
  subscribe: grantFlag("receive channels such as news or 'news/*'"),
  publish: grantFlag("publish to them, or to devices: '$user/*', '$device/*', '$all'"),
  history: grantFlag("read what was published to them before"),
  presence: grantFlag("see who is subscribed to them"),
} as const;

/**
 * The grants that flags name; several patterns may be given in one, separated by commas.
 * @throws {ConfigError} if one cannot be a pattern.
 */
export function readGrants(flags: Grants): Grants {
  const read = (name: keyof Grants) =>
    flags[name].flatMap((value) => value.split(",").map((pattern) => check(name, pattern.trim())));
  return {
    subscribe: read("subscribe"),
    publish: read("publish"),
    history: read("history"),
    presence: read("presence"),
  };
}

function check(flag: string, pattern: string): string {
  if (pattern.length <= 200 && /^\$?[A-Za-z0-9_.:/@~*-]+$/.test(pattern)) return pattern;
  throw new ConfigError(
    `--${flag} ${JSON.stringify(pattern)}: expected a channel or a pattern such as "news/*"`,
  );
}

export function grantsNothing(grants: Grants): boolean {
  return GRANTS.every((name) => grants[name].length === 0);
}

/** Without the lists that are empty. */
export function saidGrants(grants: Grants): Partial<Grants> {
  return Object.fromEntries(Object.entries(grants).filter(([, patterns]) => patterns.length > 0));
}

/** In words: `subscribe news/*, alerts; publish orders`. */
export function describeGrants(grants: Partial<Grants>, isAdmin: boolean): string {
  if (isAdmin) return "everything";
  const said = GRANTS.flatMap((name) => {
    const patterns = grants[name] ?? [];
    return patterns.length === 0 ? [] : `${name} ${patterns.join(", ")}`;
  });
  return said.length === 0 ? "nothing" : said.join("; ");
}

/**
 * When what is made now ends, in milliseconds since 1970.
 * @throws {ConfigError} if it is no length of time, or longer than a hundred years.
 */
export function readExpiry(text: string, nowMs: number): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 1_000 && ms <= LONGEST_MS) return nowMs + ms;
  throw new ConfigError(`--expires ${JSON.stringify(text)}: expected a length of time such as 12h or 30d`);
}

const LONGEST_MS = 36_525 * 86_400_000;
