/**
 * The HTTP API: finds the route (Hono), lets in who may, reads the request, and turns what goes wrong into problems. Who
 * it is comes before whether the request is a good one: a stranger learns nothing.
 */

import { isDeep } from "@carillon/protocol/json";
import { MAX_DEPTH } from "@carillon/protocol/limits";
import { Hono } from "hono";
import type { z } from "zod";
import type { Access, Authenticate } from "../../hub/access.ts";
import { EngineError } from "../../hub/hub.ts";
import type { Log } from "../../lib/log.ts";
import { tokenOf, unauthorized } from "../bearer.ts";
import { problemResponse } from "../problem.ts";
import { type Input, type Needs, Refusal, type Route } from "./route.ts";

export interface ApiPorts {
  readonly authenticate: Authenticate;
  readonly log: Log;
}

/** Answers a request for something under `/v1/`. */
export type Api = (
  request: Request,
  url: URL,
  takesLong?: () => void,
  addressOf?: () => string,
) => Response | Promise<Response>;

interface Bindings {
  Bindings: { readonly url: URL } & Pick<Input<never, never, never, never>, "takesLong" | "addressOf">;
}

export function createApi(routes: readonly Route[], ports: ApiPorts): Api {
  const app = new Hono<Bindings>({ getPath: (_, options) => pathOf(options?.env as Bindings["Bindings"]) });
  const methods = new Map<string, string[]>();
  for (const route of routes) {
    const { method, path } = route.description;
    const pattern = honoPath(path);
    // Hono answers HEAD as GET, without the body.
    const names = method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()];
    methods.set(pattern, [...(methods.get(pattern) ?? []), ...names]);
    app.on(method.toUpperCase(), pattern, ({ req, env }) => answer(route, req.raw, env, req.param(), ports));
  }
  for (const [pattern, allowed] of methods) {
    app.all(pattern, () => {
      const detail = `this address takes ${allowed.join(", ")}`;
      return problemResponse(
        { status: 405, code: "method_not_allowed", detail },
        { allow: allowed.join(", ") },
      );
    });
  }
  app.notFound(() => {
    return problemResponse({ status: 404, code: "not_found", detail: "there is nothing at this address" });
  });
  app.onError((error, { req, env }) => problemFor(error, req.method, env.url, ports));
  return (request, url, takesLong = () => {}, addressOf = () => "unknown") =>
    app.fetch(request, { url, takesLong, addressOf });
}

function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

/** A channel's name with what may stand behind it. */
const IN_CHANNEL = /^\/v1\/channels\/(.+?)(\/messages|\/stream)?$/;

/** The switch of a channel, at the end of a path. */
const OF_DEVICE = /^(\/v1\/devices\/[^/]+\/subscriptions\/)(.+)$/;

/** Slashes in a channel's name may be written as they are; to the router the name is one segment. */
function pathOf({ url: { pathname } }: Bindings["Bindings"]): string {
  const [, name, rest = ""] = IN_CHANNEL.exec(pathname) ?? [];
  if (name !== undefined) return `/v1/channels/${name.replaceAll("/", "%2F")}${rest}`;
  const [, start = "", last] = OF_DEVICE.exec(pathname) ?? [];
  return last === undefined ? pathname : `${start}${last.replaceAll("/", "%2F")}`;
}

async function answer(
  route: Route,
  request: Request,
  { url, takesLong, addressOf }: Bindings["Bindings"],
  params: Record<string, string>,
  ports: ApiPorts,
): Promise<Response> {
  const { description, handle, admit } = route;
  const { needs } = description;
  const token = tokenOf(request, url);
  const answered = ports.authenticate(token);
  const asked = answered instanceof Promise ? await answered : answered;
  const access = asked === "missing" && ASK_FOR_NOTHING.has(needs) ? NOBODY : asked;
  if (typeof access === "string") return refuse(unauthorized(access));
  if (!isLetIn(access, needs, params)) {
    if (token === undefined || needs === "token") return refuse(unauthorized(undefined));
    return problemResponse({ status: 403, code: "forbidden", detail: deed(needs, params) });
  }
  admit?.({ access, addressOf });
  const query = description.query === undefined ? {} : withoutToken(url.searchParams);
  const input = {
    access,
    addressOf,
    request,
    takesLong,
    params: check(description.params, params, ""),
    query: check(description.query, query, ""),
    headers: check(description.headers, headersOf(request, description.headers), "header "),
    ...(await bodyOf(request, description)),
  };
  return handle(input as never);
}

/** What those without a token may ask for even where nobody is let in without one. */
const ASK_FOR_NOTHING: ReadonlySet<Needs> = new Set(["registration", "anybody"]);
const NOBODY: Access = { who: "anonymous", isAdmin: false, may: () => false };

type Params = Readonly<Record<string, string>>;

function isLetIn(access: Access, needs: Needs, params: Params): boolean {
  if (access.isAdmin) return true;
  switch (needs) {
    case "anybody":
    case "registration":
      return true;
    case "admin":
      return false;
    case "token":
      return access.who !== "anonymous";
    case "device":
      // Whether there is such a device nobody else learns.
      return access.device !== undefined && access.device === params["device"];
    default:
      return access.may(needs, channelOf(params));
  }
}

/** The channel that a path names; a device's is its own. */
function channelOf({ channel, device }: Params): string {
  return channel ?? `$device/${device}`;
}

function deed(needs: Needs, params: Params): string {
  if (needs === "admin") return "this needs the admin key";
  if (needs === "device") return "this needs the device's own token or the admin key";
  return `this token has no grant to ${needs} in ${channelOf(params)}`;
}

function refuse({ problem, headers }: ReturnType<typeof unauthorized>): Response {
  return problemResponse(problem, headers);
}

/** The parameters but the token. One that is given twice is a list, which no schema takes. */
export function withoutToken(query: URLSearchParams): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const name of new Set(query.keys())) {
    if (name === "token") continue;
    const all = query.getAll(name);
    values[name] = all.length === 1 ? all[0] : all;
  }
  return values;
}

function headersOf(request: Request, schema: z.ZodObject | undefined): Record<string, string> {
  const values: Record<string, string> = {};
  if (schema === undefined) return values;
  for (const name in schema.shape) {
    const value = request.headers.get(name);
    if (value !== null) values[name] = value;
  }
  return values;
}

/** @throws {Refusal} naming what is wrong, and where. */
export function check(schema: z.ZodType | undefined, value: unknown, place: string): unknown {
  if (schema === undefined) return {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map(String).join(".") ?? "";
  const message = (issue?.message ?? "not valid").replace(/^Invalid input: /, "");
  throw new Refusal(400, "bad_field", `${place}${path}${path === "" ? "" : ": "}${message}`);
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json *(?:;|$)/i;

async function bodyOf(
  request: Request,
  { body, rawBody, maxBodyBytes }: Route["description"],
): Promise<{ body: unknown; raw: unknown }> {
  if (body === undefined && rawBody === undefined) return { body: undefined, raw: undefined };
  const isJson = JSON_TYPE.test(request.headers.get("content-type") ?? "");
  if (rawBody?.kind === "bytes") return { body: undefined, raw: { bytes: await request.bytes() } };
  if (rawBody?.kind === "text" && !isJson) {
    return { body: undefined, raw: { text: textOf(await request.bytes()) } };
  }
  if (!isJson) throw new Refusal(415, "unsupported_media_type", "content-type: application/json is needed");
  const text = textOf(await bytesOf(request, maxBodyBytes));
  // Before it is parsed: 60,000 brackets would take a parser, ours or a client's, to the end of its stack.
  if (isDeep(text)) throw new Refusal(400, "bad_json", `the body is nested more than ${MAX_DEPTH} deep`);
  return { body: check(body, parse(text), ""), raw: undefined };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws {Refusal} if it is not UTF-8: replacing what is wrong would deliver something that nobody has sent. */
function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Refusal(400, "bad_encoding", "the body is not UTF-8");
  }
}

/** @throws {Refusal} by rejection as soon as there are more than `most`. */
async function bytesOf(request: Request, most: number | undefined): Promise<Uint8Array> {
  if (most === undefined || request.body === null) return request.bytes();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > most) throw new Refusal(413, "payload_too_large", `the body is over ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "bad_json", "the body is not JSON");
  }
}

function problemFor(error: unknown, method: string, url: URL, { log }: ApiPorts): Response {
  if (error instanceof Refusal) return problemResponse(error.problem, error.headers);
  if (error instanceof EngineError) {
    const detail = "the log cannot be written or read now; nothing was done";
    return problemResponse({ status: 503, code: "storage_unavailable", detail }, { "retry-after": "5" });
  }
  // Without the query, which may hold a token.
  log.error(`A request failed: ${error}`, { method, path: url.pathname });
  const detail = "the server failed; its log says more";
  return problemResponse({ status: 500, code: "internal", detail });
}
