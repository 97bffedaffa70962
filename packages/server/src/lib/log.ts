/**
 * The log: one line per thing that happened, for people (`pretty`) or for machines (`json`).
 *
 *     log.info("Client connected. Total connections: 3", { session: "Zk3…-1", address: "::1" });
 *
 * Pretty: `[2026-11-24 09:30:00] Client connected. Total connections: 3`; the fields are added at level
 * `debug` only, since people and scripts read these lines as they are. JSON always carries them.
 */
import type { Clock } from "./clock.ts";
import { printable } from "./printable.ts";
import type { FormatTimestamp } from "./timestamp.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface Log {
  /** Whether a line of this level is written, for callers whose fields are costly to collect. */
  enabled(level: LogLevel): boolean;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly format: "pretty" | "json";
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly timestamp: FormatTimestamp;
  /** Takes one finished line without its newline. */
  readonly write: (line: string) => void;
}

export function createLog(options: LogOptions): Log {
  const lowest = LOG_LEVELS.indexOf(options.level);
  const enabled = (level: LogLevel) => LOG_LEVELS.indexOf(level) >= lowest;
  const line = options.format === "json" ? jsonLine : prettyLine;
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (enabled(level)) options.write(line(options, level, message, fields));
  };
  return { enabled, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A log that keeps nothing. */
export const silentLog: Log = {
  enabled: () => false,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};

function jsonLine({ clock }: LogOptions, level: LogLevel, message: string, fields?: LogFields): string {
  return JSON.stringify({ time: new Date(clock.wallMs()).toISOString(), level, message, ...fields });
}

function prettyLine(options: LogOptions, level: LogLevel, message: string, fields?: LogFields): string {
  const mark = level === "info" ? "" : `${level.toUpperCase()} `;
  const detail = options.level === "debug" && fields !== undefined ? ` ${JSON.stringify(fields)}` : "";
  return `[${options.timestamp(options.clock.wallMs())}] ${mark}${printable(message)}${detail}`;
}
