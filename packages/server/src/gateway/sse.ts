/**
 * Server-Sent Events: `GET /v1/channels/{channel}/stream` (WHATWG HTML, section 9.2). For browsers' `EventSource`, for
 * `curl -N`, and for whoever has no WebSocket.
 */
import { channelNameProblem } from "@carillon/protocol/channel";
import type { Server } from "bun";
import type { Access, Authenticated } from "../hub/access.ts";
import type { Hub } from "../hub/hub.ts";
import { parseSince, type Since } from "../hub/since.ts";
import type { SseInfo } from "../hub/sse-session.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { check, withoutToken } from "./api/api.ts";
import { Refusal } from "./api/route.ts";
import { streamRoute } from "./api/stream.ts";
import { tokenOf, unauthorized } from "./bearer.ts";
import { type Body, EventStream } from "./event-stream.ts";
import type { NativeFanOut } from "./fan-out.ts";
import type { HandshakeRules } from "./handshake.ts";
import { KeepAlive } from "./keep-alive.ts";
import { type Problem, problemResponse } from "./problem.ts";
import type { SocketData, WebSocketPorts } from "./websocket.ts";

export interface StreamPorts extends WebSocketPorts {
  readonly hub: Hub;
  readonly fanOut: NativeFanOut;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** What a client asks for, or what it is told instead. */
export type StreamRequest =
  | { readonly ok: true; readonly access: Access; readonly channel: string; readonly since?: Since }
  | { readonly ok: false; readonly problem: Problem; readonly headers?: Record<string, string> };

/** Slashes in a channel's name may be written as they are. */
const PATH = /^\/v1\/channels\/(.+)\/stream$/;

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  // nginx and those who learned it from there would otherwise hold events back until some kilobytes are together.
  "x-accel-buffering": "no",
};

/** The first bytes, at once: clients and proxies see that the stream has begun. They come back after two seconds. */
const RETRY = "retry: 2000\n\n";

/** Seconds without progress in which a client is given what was written before the stream ended. */
const LAST_WORD_S = 10;

/** Answers a request for a stream; `undefined` for any other path. */
export type OpenStream = (
  request: Request,
  url: URL,
  server: Server<SocketData>,
) => Response | Promise<Response> | undefined;

/** Makes what answers requests for streams. */
export function streamOpener(ports: StreamPorts): OpenStream {
  const keepAlive = new KeepAlive(ports.clock);
  return (request, url, server) => {
    const [, segment] = PATH.exec(url.pathname) ?? [];
    if (segment === undefined) return undefined;
    const { admission, addressOf, metrics } = ports;
    const address = addressOf(server.requestIP(request)?.address, request.headers.get("x-forwarded-for"));
    const leave = admission.admitStream(address);
    const finish = (asked: StreamRequest) => {
      // Those whom `admission` has refused it has counted.
      if (!asked.ok && typeof leave === "function") metrics.refused.inc({ code: asked.problem.code });
      const guest = { address, leave: typeof leave === "function" ? leave : () => {} };
      const response = asked.ok
        ? open(asked, request, server, ports, keepAlive, guest)
        : refused(asked, address, ports.log);
      if (!asked.ok || request.method === "HEAD") guest.leave();
      return response;
    };
    if (typeof leave !== "function") return finish({ ok: false, ...leave });
    const asked = readStreamRequest(request, url, segment, ports.rules);
    return asked instanceof Promise ? asked.then(finish) : finish(asked);
  };
}

/** Decides on a request for the stream of the channel that `segment` of the path names. */
export function readStreamRequest(
  request: Request,
  url: URL,
  segment: string,
  rules: Pick<HandshakeRules, "authenticate">,
): StreamRequest | Promise<StreamRequest> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return refuse(405, "method_not_allowed", "this address takes GET, HEAD", { allow: "GET, HEAD" });
  }
  const token = tokenOf(request, url);
  const decide = (access: Authenticated): StreamRequest => {
    if (typeof access === "string") return { ok: false, ...unauthorized(access) };
    const channel = decoded(segment);
    const problem = channelNameProblem(channel);
    if (problem !== undefined) return refuse(400, "invalid_channel", `channel: ${problem}`);
    if (access.may("subscribe", channel)) return readResumption(request, url, access, channel);
    if (token === undefined) return { ok: false, ...unauthorized(undefined) };
    return refuse(403, "forbidden", `this token does not allow to receive ${channel}`);
  };
  const authenticated = rules.authenticate(token);
  return authenticated instanceof Promise ? authenticated.then(decide) : decide(authenticated);
}

/** What is not well encoded stays as it is, and is no channel's name. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Where a browser was, when it comes back by itself, is newer than what its page said at first. */
function readResumption(request: Request, url: URL, access: Access, channel: string): StreamRequest {
  const header = request.headers.get("last-event-id");
  const text = header || url.searchParams.get("since");
  const since = text === null ? undefined : parseSince(text);
  if (text !== null && since === undefined) {
    const place = header ? "header last-event-id" : "since";
    return refuse(400, "invalid_since", `${place}: an offset, or epoch:offset`);
  }
  const problem = queryProblem(url);
  if (problem !== undefined) return { ok: false, problem };
  return { ok: true, access, channel, ...(since !== undefined && { since }) };
}

/** What the description of streams does not know is refused, as on every other route. */
function queryProblem({ searchParams }: URL): Problem | undefined {
  try {
    check(streamRoute.description.query, withoutToken(searchParams), "");
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.problem;
    throw error;
  }
}

function refuse(
  status: number,
  code: string,
  detail: string,
  headers?: Record<string, string>,
): StreamRequest {
  return { ok: false, problem: { status, code, detail }, ...(headers !== undefined && { headers }) };
}

function refused(
  { problem, headers }: Extract<StreamRequest, { ok: false }>,
  address: string,
  log: Log,
): Response {
  log.debug(`Stream refused: ${problem.code}`, { address, ...problem });
  return problemResponse(problem, headers);
}

/** Who has been let in, until it is told to leave. */
interface Guest {
  readonly address: string;
  readonly leave: () => void;
}

function open(
  { ok: _, ...asked }: Extract<StreamRequest, { ok: true }>,
  request: Request,
  server: Server<SocketData>,
  ports: StreamPorts,
  keepAlive: KeepAlive,
  guest: Guest,
): Response {
  // Bun would cut a stream that has been silent for the time that other requests get.
  if (request.method !== "HEAD") server.timeout(request, 0);
  let stream: EventStream | undefined;
  const info = { ...asked, id: ports.nextId(), address: guest.address };
  const source: Bun.DirectUnderlyingSource = {
    type: "direct",
    /** Not called for HEAD, nor when the client has left before. */
    pull(controller) {
      const ending = () => server.timeout(request, LAST_WORD_S);
      stream = start(controller, info, ports, keepAlive, { ending, ended: guest.leave });
    },
    cancel: () => (stream === undefined ? guest.leave() : stream.gone()),
  };
  // The DOM's types, which the tests are compiled with, know nothing of direct streams.
  const body = new ReadableStream(source as object);
  return new Response(body, { headers: HEADERS });
}

function start(
  body: Body,
  info: SseInfo,
  { hub, fanOut, metrics }: StreamPorts,
  keepAlive: KeepAlive,
  { ending, ended }: { readonly ending: () => void; readonly ended: () => void },
): EventStream {
  const stream = new EventStream(body, fanOut, {
    alive: () => session.seen(),
    drained: () => session.drain(),
    slow: () => metrics.slowConsumers.inc(),
    ending,
    ended(code, reason) {
      ended();
      forget();
      hub.disconnect(session, code, reason);
    },
  });
  stream.send(RETRY);
  const forget = keepAlive.add(stream);
  const session = hub.connectSse(info, stream);
  return stream;
}
