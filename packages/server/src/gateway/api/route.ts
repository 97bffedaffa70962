/**
 * What a route of the HTTP API is. The check of a request, the types its handler sees and its description in
 * `/openapi.json` come from the same schemas.
 *
 *     const history = route({
 *       method: "get",
 *       path: "/v1/channels/{channel}/messages",
 *       needs: "history",
 *       query: historyQuery,
 *       …
 *     }, async ({ params, query }) => json(200, await hub.history(params.channel, query.since)));
 */
import type { z } from "zod";
import type { Access, Grant } from "../../hub/access.ts";
import type { Problem } from "../problem.ts";

/**
 * A grant for the channel that the path names; the admin key; any token, whose grants the handler looks at itself; the
 * token of the device in the path, or the admin key; what it takes to register devices; or nothing.
 */
export type Needs = Grant | "admin" | "token" | "device" | "registration" | "anybody";

export interface Answer {
  readonly description: string;
  /** Of its JSON. Without, there is none. */
  readonly schema?: z.ZodType;
  /** Where it is not JSON. */
  readonly contentType?: string;
}

/** The kinds of bodies a route takes. */
export type BodyKind = "json" | "text" | "bytes";

type Shape = z.ZodObject;
type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : Record<string, never>;

export interface RouteDescription<
  Params extends Shape | undefined,
  Query extends Shape | undefined,
  Headers extends Shape | undefined,
  Body extends z.ZodType | undefined,
> {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** `{channel}` stands for a channel's name, slashes included; `{device}` for a device's id. */
  readonly path: string;
  readonly needs: Needs;
  readonly summary: string;
  readonly description?: string;
  readonly params?: Params;
  readonly query?: Query;
  /** Names in lower case. Others are not looked at. */
  readonly headers?: Headers;
  /** The schema of a JSON body. */
  readonly body?: Body;
  /** The largest body, where that is less than the server takes: of those of whom little is known. */
  readonly maxBodyBytes?: number;
  /** What is taken besides JSON, as it is: any other type of content as text, or bytes. */
  readonly rawBody?: { readonly kind: Exclude<BodyKind, "json">; readonly description: string };
  readonly answers: Readonly<Record<number, Answer>>;
}

/** What a body was, if it was not JSON. */
export type Raw = { readonly text: string } | { readonly bytes: Uint8Array };

export interface Input<Params, Query, Headers, Body> {
  readonly params: Parsed<Params>;
  readonly query: Parsed<Query>;
  readonly headers: Parsed<Headers>;
  /** `undefined` where `raw` is set. */
  readonly body: Parsed<Body> | undefined;
  readonly raw: Raw | undefined;
  readonly access: Access;
  /** The client's, as far as trusted proxies tell. */
  readonly addressOf: () => string;
  readonly request: Request;
  /** Has the connection wait for the answer, however long that takes. */
  readonly takesLong: () => void;
}

/** Looks at who it is before anything of the request is read. */
export type Admit = (caller: Pick<Input<never, never, never, never>, "access" | "addressOf">) => void;

/** A route with its types forgotten. */
export interface Route {
  readonly description: RouteDescription<
    Shape | undefined,
    Shape | undefined,
    Shape | undefined,
    z.ZodType | undefined
  >;
  readonly handle: (input: Input<never, never, never, never>) => Response | Promise<Response>;
  /** @throws {Refusal} if they are not let in. */
  readonly admit?: Admit | undefined;
}

export function route<
  Params extends Shape | undefined = undefined,
  Query extends Shape | undefined = undefined,
  Headers extends Shape | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  description: RouteDescription<Params, Query, Headers, Body>,
  handle: (input: Input<Params, Query, Headers, Body>) => Response | Promise<Response>,
  admit?: Admit,
): Route {
  return { description, handle: handle as unknown as Route["handle"], admit };
}

/** A request that is answered with a problem. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly problem: Problem;
  readonly headers: Record<string, string>;
  constructor(status: number, code: string, detail: string, headers: Record<string, string> = {}) {
    super(detail);
    this.problem = { status, code, detail };
    this.headers = headers;
  }
}

/** What is asked for is not there. */
export function notFound(what: string): Refusal {
  return new Refusal(404, "not_found", what);
}

/**
 * A page of what was `found` where one more than `limit` was asked for, and the `after` of the next page: null when there is
 * none.
 */
export function pageOf<Item>(
  found: readonly Item[],
  limit: number,
  nameOf: (item: Item) => string,
): { readonly page: readonly Item[]; readonly next: string | null } {
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return { page, next: found.length > limit && last !== undefined ? nameOf(last) : null };
}

const JSON_HEADERS = { "content-type": "application/json; charset=utf-8" };

/** An answer in JSON; a text is taken for JSON that is written already. */
export function json(status: number, value: object | string): Response {
  return new Response(typeof value === "string" ? value : JSON.stringify(value), {
    status,
    headers: JSON_HEADERS,
  });
}
