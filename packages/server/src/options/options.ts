/** Every option of `carillon serve`: what it takes, what it is without. */
import { channelNameProblem } from "@carillon/protocol/channel";
import { z } from "zod";
import { parseRetention } from "../engine/retention.ts";
import { LOG_LEVELS } from "../lib/log.ts";
import { channelPatterns } from "../lib/pattern.ts";
import { isTimeZone, machineTimeZone } from "../lib/timestamp.ts";
import { compileContent } from "../schedule/content.ts";
import { accessOptions } from "./access.ts";
import { deviceOptions } from "./devices.ts";
import { limitOptions } from "./limits.ts";
import { networkOptions } from "./network.ts";
import { duration, list, type Option, option, text } from "./option.ts";

const origins = list.transform((origins) => origins.map((origin) => origin.toLowerCase()));

const retention = z.string().transform((value, context) => {
  const parsed = parseRetention(value);
  if (parsed.ok) return parsed.retentionOf;
  context.addIssue(parsed.problem);
  return z.NEVER;
});
const isOrigin = (value: string) => value === "*" || (URL.canParse(value) && new URL(value).origin === value);

export const options = {
  host: option({
    schema: text((value) => value !== ""),
    expects: "an address to listen on",
    placeholder: "HOST",
    about: "address to listen on",
    initial: "0.0.0.0",
  }),
  port: option({
    schema: text((value) => /^\d{1,5}$/.test(value))
      .transform(Number)
      .refine((port) => port <= 65_535),
    expects: "a port from 0 to 65535",
    placeholder: "PORT",
    about: "port to listen on; 0 picks a free one and prints it",
    initial: "8080",
  }),
  data: option({
    schema: text((value) => value !== ""),
    expects: "a directory",
    placeholder: "DIR",
    about: "directory that holds everything kept: one SQLite file and the admin key",
    initial: "./data",
  }),
  memory: option({
    schema: z.enum(["on", "off"]).transform((value) => value === "on"),
    expects: "on or off",
    placeholder: "",
    about: "keep nothing on disk; the same as --engine memory",
    initial: "off",
    isSwitch: true,
  }),
  engine: option({
    schema: z.enum(["sqlite", "memory"]),
    expects: "sqlite or memory",
    placeholder: "sqlite|memory",
    about: "where publications are kept",
    initial: "sqlite",
  }),
  retention: option({
    schema: retention,
    expects: 'rules such as "news/* 7d 1000 10MB, * 30d", each a pattern with an age, a count or a size',
    placeholder: "RULES",
    about: "how long publications are kept, by channel; the first pattern that fits counts",
    initial: "* 30d 100000 1GB",
  }),
  presence: option({
    schema: z.string().transform((value) => channelPatterns(value)),
    expects: "channel patterns such as rooms/*, separated by commas",
    placeholder: "PATTERNS",
    about: "channels whose members are told who comes and goes",
    initial: "",
    shown: "none",
  }),
  "admin-key": option({
    schema: text((value) => value === "" || /^[\x21-\x7e]{16,200}$/.test(value)),
    expects: "16 to 200 printable characters without spaces",
    placeholder: "KEY",
    about: "allows everything; made at the first start and kept in DATA/admin.key unless given",
    initial: "",
    shown: "made at first start",
    isSecret: true,
  }),
  anonymous: option({
    schema: z.enum(["listen", "off"]),
    expects: "listen or off",
    placeholder: "listen|off",
    about: "whether a client without a token may receive the default channel",
    initial: "listen",
  }),
  "push-every": option({
    schema: z.union([z.literal("off").transform(() => undefined), duration(1_000)]),
    expects: "a length of time of at least 1s, such as 30s or 5m, or off",
    placeholder: "5m|off",
    about: "how often the default channel is pushed to",
    initial: "5m",
  }),
  "push-text": option({
    schema: text((value) => compileContent(value, { timeZone: "UTC" }).ok),
    expects: "a text of at most 60 KB whose {{names}} are now, dueAt, run or schedule",
    placeholder: "TEXT",
    about: "what is pushed; {{now}} is the time as yyyy-MM-dd HH:mm:ss",
    initial: "Server push message at {{now}}",
  }),
  "time-zone": option({
    schema: text(isTimeZone),
    expects: "an IANA time zone such as Europe/Berlin",
    placeholder: "ZONE",
    about: "time zone of {{now}} and the log; the machine's unless given",
    initial: machineTimeZone(),
  }),
  "default-channel": option({
    schema: text((value) => channelNameProblem(value) === undefined),
    expects: "a channel name: 1 to 200 of A-Z a-z 0-9 _ - . : / @ ~",
    placeholder: "NAME",
    about: "channel that a plain client is subscribed to",
    initial: "push",
  }),
  "idle-timeout": option({
    schema: duration(1_000),
    expects: "a length of time of at least 1s, such as 90s or 20m",
    placeholder: "20m",
    about: "silence after which a client is pinged; after twice that it is dropped",
    initial: "20m",
  }),
  log: option({
    schema: z.enum(["pretty", "json"]),
    expects: "pretty or json",
    placeholder: "pretty|json",
    about: "log lines for people or for machines",
    initial: "pretty",
  }),
  "log-level": option({
    schema: z.enum(LOG_LEVELS),
    expects: LOG_LEVELS.join(", "),
    placeholder: "LEVEL",
    about: "least important lines to write: debug, info, warn or error",
    initial: "info",
  }),
  "allowed-origins": option({
    schema: origins.refine((list) => list.every(isOrigin)),
    expects: "origins such as https://app.example.com, separated by commas, or *",
    placeholder: "ORIGINS",
    about: "pages of other origins that may connect (browsers only)",
    initial: "",
    shown: "same origin",
  }),
  ...networkOptions,
  ...accessOptions,
  ...deviceOptions,
  ...limitOptions,
} as const satisfies Record<string, Option<unknown>>;
