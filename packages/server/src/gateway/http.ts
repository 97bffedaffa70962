/** The HTTP gateway: one listener, and where each request goes. */
import type { Server } from "bun";
import type { Metrics } from "../lib/metrics.ts";
import { Admission, type AdmissionPorts } from "./admission.ts";
import type { Api } from "./api/api.ts";
import type { ServeDescription } from "./api/description.ts";
import { boundedBody, UNBOUNDED } from "./body.ts";
import { clientAddresses } from "./client-address.ts";
import { acrossOrigins } from "./cors.ts";
import { healthResponse, type Probe, readyResponse } from "./health.ts";
import type { ServeMetrics } from "./metrics-route.ts";
import type { ServePages } from "./pages.ts";
import { problemResponse } from "./problem.ts";
import { type OpenStream, type StreamPorts, streamOpener } from "./sse.ts";
import { type SocketData, upgrade, type WebSocketPorts, webSocketHandler } from "./websocket.ts";

/** PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

export interface GatewayOptions extends Omit<StreamPorts, "admission" | "addressOf">, AdmissionPorts {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Speaks https and wss with it. */
  readonly tls?: Tls | undefined;
  /** Addresses and networks of proxies whose X-Forwarded-For counts. */
  readonly trustedProxies: readonly string[];
  /** The largest body of a request. */
  readonly maxBodyBytes: number;
  /** The largest frame of a client. */
  readonly maxFrameBytes: number;
  readonly servePages: ServePages;
  /** Answers what is under `/v1/`. */
  readonly api: Api;
  readonly serveMetrics: ServeMetrics;
  readonly serveDescription: ServeDescription;
  /** A durable round trip through the engine; rejects when that cannot be had. */
  readonly probe: Probe;
}

export interface Gateway {
  /** The port that is listened on. */
  readonly port: number;
  /** Accepts nothing any more. Those connected stay. */
  stopAccepting(): void;
  /** Resolves when every connection is gone; after `graceMs` the remaining ones are cut off. */
  drained(graceMs: number): Promise<void>;
}

/** Seconds without progress after which a request, or a handshake that dribbles in, is cut off. */
const REQUEST_TIMEOUT_S = 10;

/**
 * Starts listening.
 * @throws {Error} with `code` EADDRINUSE, EACCES and the like, when the address cannot be listened on.
 */
export function startGateway(options: GatewayOptions): Gateway {
  const ports = {
    ...options,
    admission: new Admission(options),
    addressOf: clientAddresses(options.trustedProxies),
  };
  const openStream = streamOpener(ports);
  const server = Bun.serve<SocketData>({
    hostname: options.host,
    port: options.port,
    development: false,
    ...(options.tls !== undefined && { tls: options.tls }),
    // Out of development Bun shares a port silently unless told not to: two servers, each with half of the clients.
    reusePort: false,
    idleTimeout: REQUEST_TIMEOUT_S,
    maxRequestBodySize: UNBOUNDED,
    fetch: (request, self) => route(request, self, ports, openStream),
    websocket: webSocketHandler(options.hub, ports.admission, options.maxFrameBytes),
  });
  options.fanOut.attach(server);
  let stopped = Promise.resolve();
  return {
    port: server.port ?? options.port,
    stopAccepting() {
      stopped = server.stop(false);
    },
    async drained(graceMs) {
      const grace = new Promise<void>((resolve) => options.clock.setTimer(graceMs, resolve));
      await Promise.race([stopped, grace]);
      await server.stop(true);
    },
  };
}

/**
 * A route may say that its answer takes long. Only then, and only until there is one, may the connection stand still: who
 * has not been let in yet could hold it for ever.
 */
async function answerApi(
  bounded: Request,
  url: URL,
  server: Server<SocketData>,
  { api, addressOf }: GatewayOptions & Pick<WebSocketPorts, "addressOf">,
  request: Request,
): Promise<Response> {
  let waits = false;
  try {
    const takesLong = () => {
      waits = true;
      server.timeout(request, 0);
    };
    return await api(bounded, url, takesLong, () =>
      addressOf(server.requestIP(request)?.address, request.headers.get("x-forwarded-for")),
    );
  } finally {
    if (waits) server.timeout(request, REQUEST_TIMEOUT_S);
  }
}

/** What every answer of the HTTP API has, whoever gives it. */
async function answered(answer: Promise<Response>, metrics: Pick<Metrics, "requests">): Promise<Response> {
  const response = await answer;
  metrics.requests.inc({ status: response.status });
  // `Authorization` keeps shared caches off (RFC 9111 section 3.5), but the token may be in the query. Streams say it otherwise.
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}

function route(
  request: Request,
  server: Server<SocketData>,
  options: GatewayOptions & WebSocketPorts,
  openStream: OpenStream,
): Response | undefined | Promise<Response | undefined> {
  const url = URL.parse(request.url);
  if (url === null)
    return problemResponse({ status: 400, code: "invalid_request", detail: "not a valid address" });
  if (url.pathname === "/ws") return upgrade(request, url, server, options);
  if (url.pathname === "/healthz") return healthResponse(200, "alive");
  if (url.pathname === "/readyz") return readyResponse(options.probe);
  if (url.pathname.startsWith("/v1/")) {
    const { rules, maxBodyBytes, metrics } = options;
    const answer = () => {
      const bounded = boundedBody(request, maxBodyBytes, metrics);
      if (bounded instanceof Response) return bounded;
      return openStream(request, url, server) ?? answerApi(bounded, url, server, options, request);
    };
    return answered(acrossOrigins(request, rules.allowedOrigins, metrics, answer), metrics);
  }
  const page =
    options.serveMetrics(request, url) ??
    options.serveDescription(url.pathname) ??
    options.servePages(request, url.pathname);
  if (page === undefined) {
    return problemResponse({ status: 404, code: "not_found", detail: "there is nothing at this address" });
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const problem = { status: 405, code: "method_not_allowed", detail: "this address can only be read" };
    return problemResponse(problem, { allow: "GET, HEAD" });
  }
  return page;
}
