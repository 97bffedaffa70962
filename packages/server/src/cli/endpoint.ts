/** Which server a command talks to, and with which key. */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../config.ts";
import type { Io } from "./command.ts";

const DEFAULT_URL = "http://localhost:8080";
/** Where `carillon serve` keeps the key that it makes, unless it is told otherwise. */
const KEY_FILE = join("data", "admin.key");

/** Flags of all commands that talk to a server. */
export const urlFlag = {
  url: { value: "URL", about: "the server", initial: DEFAULT_URL, variable: "CARILLON_URL" },
} as const;
export const caFlag = {
  ca: {
    value: "FILE",
    about: "believe certificates of this authority (PEM) and of no other",
    variable: "CARILLON_CA",
  },
} as const;
export const endpointFlags = {
  ...urlFlag,
  key: {
    value: "KEY",
    about: "the admin key or a token; the variable keeps it out of the list of processes",
    initial: "for a server on this machine, what ./data/admin.key holds",
    variable: "CARILLON_KEY",
  },
  ...caFlag,
} as const;
export const jsonFlag = { json: { about: "write JSON, for programs" } } as const;

export interface EndpointFlags {
  readonly url: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

export interface Endpoint {
  /** The server's address without a slash at its end. */
  readonly url: string;
  readonly key?: string;
  /** The certificates of an authority, in PEM. */
  readonly ca?: string;
  /** Whether it is this machine itself. */
  readonly isLoopback: boolean;
}

/**
 * The server and the key that flags, the environment and, for a server on this machine, the file of a key name.
 * @throws {ConfigError} if one of them is no good. What is wrong with a key is said without showing it.
 */
export function readEndpoint(
  flags: EndpointFlags,
  io: Pick<Io, "env" | "err">,
  keyFile = KEY_FILE,
): Endpoint {
  const url = readUrl(flags.url, io.env);
  const isLoopback = isLoopbackHost(url.hostname);
  const ca = readCa(flags.ca, io.env);
  const key = readKey(flags.key, isLoopback ? keyFile : undefined, io);
  if (key !== undefined && url.protocol === "http:" && !isLoopback) {
    io.err(
      `carillon: warning: the key goes to ${url.host} unencrypted; use https where others share the network`,
    );
  }
  return {
    url: `${url.origin}${url.pathname.replace(/\/$/, "")}`,
    isLoopback,
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
  };
}

/**
 * The address of a server as a person types it: `http`, `https`, `ws` or `wss`, with or without `/ws` at the end.
 * @throws {ConfigError} if it is none.
 */
export function readUrl(flag: string | undefined, env: NodeJS.ProcessEnv): URL {
  const [text, source] = pick(flag, env, "url") ?? [DEFAULT_URL, "--url"];
  const url = URL.parse(text);
  const scheme = { "http:": "http:", "https:": "https:", "ws:": "http:", "wss:": "https:" }[
    url?.protocol ?? ""
  ];
  if (url === null || scheme === undefined || url.hostname === "") {
    throw new ConfigError(`${source} ${JSON.stringify(text)}: expected an address such as ${DEFAULT_URL}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new ConfigError(
      `${source}: expected an address without a name and a password; the key goes into --key`,
    );
  }
  url.protocol = scheme;
  url.hash = "";
  url.pathname = url.pathname.replace(/\/$/, "").replace(/\/ws$/, "");
  return url;
}

/** Whether requests to this host stay on this machine. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** A text of a flag, else of its variable, and which of both. An empty variable counts as none. */
function pick(
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
  name: keyof EndpointFlags,
): readonly [text: string, source: string] | undefined {
  if (flag !== undefined) return [flag, `--${name}`];
  const variable = `CARILLON_${name.toUpperCase()}`;
  const text = env[variable];
  return text === undefined || text === "" ? undefined : [text, variable];
}

function readKey(
  flag: string | undefined,
  keyFile: string | undefined,
  io: Pick<Io, "env" | "err">,
): string | undefined {
  const given = pick(flag, io.env, "key");
  if (given === undefined) return keyFile === undefined ? undefined : keptKey(keyFile, io);
  const [key, source] = given;
  // As a header it would be refused with a message that shows it.
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new ConfigError(`${source}: expected printable characters without spaces`);
  return key;
}

/** For the first five minutes: who started the server in this directory need not look for its key. */
function keptKey(path: string, io: Pick<Io, "err">): string | undefined {
  try {
    const key = readFileSync(path, "utf8").trim();
    if (!/^[\x21-\x7e]+$/.test(key)) return undefined;
    io.err(`carillon: using the key in ${path}`);
    return key;
  } catch {
    return undefined;
  }
}

/**
 * The certificates of an authority, in PEM; `undefined` if none is named.
 * @throws {ConfigError} if the file holds none.
 */
export function readCa(flag: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const given = pick(flag, env, "ca");
  if (given === undefined) return undefined;
  const [path, source] = given;
  try {
    const pem = readFileSync(path, "utf8");
    new X509Certificate(pem);
    return pem;
  } catch (error) {
    const reason = error instanceof Error && "syscall" in error ? error.message : "not a certificate in PEM";
    throw new ConfigError(`${source} ${path}: ${reason}`);
  }
}
