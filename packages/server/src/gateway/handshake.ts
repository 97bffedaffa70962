/**
 * The WebSocket handshake, decided: which requests on `/ws` become connections, and what the others are told.
 * Pure; the socket is opened in `websocket.ts`.
 */
import { channelNameProblem } from "@carillon/protocol/channel";
import type { Problem } from "./problem.ts";

export interface HandshakeRules {
  readonly defaultChannel: string;
  /** Origins besides the server's own whose pages may connect; `*` for all. */
  readonly allowedOrigins: readonly string[];
}

export type Handshake =
  | { readonly ok: true; readonly channels: readonly string[] }
  | { readonly ok: false; readonly problem: Problem; readonly headers?: Record<string, string> };

/** Sixteen bytes in base64 (RFC 6455 section 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
/** More than one channel needs a token, so this only bounds the work on a hostile query. */
const MAX_CHANNELS = 100;

/** Decides on a request to `/ws`. */
export function readHandshake(request: Request, url: URL, rules: HandshakeRules): Handshake {
  const { headers } = request;
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse(426, "upgrade_required", "this address speaks WebSocket only", {
      upgrade: "websocket",
      connection: "Upgrade",
    });
  }
  if (request.method !== "GET") {
    return refuse(405, "method_not_allowed", "a WebSocket handshake is a GET request", { allow: "GET" });
  }
  if (!KEY.test(headers.get("sec-websocket-key") ?? "")) {
    return refuse(400, "invalid_handshake", "Sec-WebSocket-Key is not 16 bytes in base64");
  }
  if (headers.has("sec-websocket-protocol")) {
    return refuse(400, "unknown_subprotocol", "none of the offered sub-protocols is spoken here; offer none");
  }
  if (!isOriginAllowed(headers, rules.allowedOrigins)) {
    return refuse(403, "origin_not_allowed", "pages of this origin may not connect; see --allowed-origins");
  }
  return readQuery(url.searchParams, rules);
}

function readQuery(query: URLSearchParams, { defaultChannel }: HandshakeRules): Handshake {
  if (query.has("token")) return refuse(401, "invalid_token", "the token is not valid");
  const channels = new Set(query.getAll("channel"));
  if (channels.size > MAX_CHANNELS) {
    return refuse(400, "too_many_channels", `at most ${MAX_CHANNELS} channels a connection`);
  }
  for (const channel of channels) {
    const problem = channelNameProblem(channel);
    if (problem !== undefined) return refuse(400, "invalid_channel", `channel: ${problem}`);
    if (channel !== defaultChannel) {
      return refuse(403, "channel_not_allowed", "without a token only the default channel can be received");
    }
  }
  return { ok: true, channels: [defaultChannel] };
}

/**
 * Browsers name the page's origin and nothing else does (RFC 6455 section 10.2), so a request without one is
 * no page's. The server's own pages come from the host that the request is for.
 */
function isOriginAllowed(headers: Headers, allowed: readonly string[]): boolean {
  const origin = headers.get("origin");
  if (origin === null || allowed.includes("*") || allowed.includes(origin.toLowerCase())) return true;
  return URL.canParse(origin) && sameHost(new URL(origin), headers.get("host"));
}

function sameHost(origin: URL, host: string | null): boolean {
  const own = `${origin.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === origin.host;
}

function refuse(status: number, code: string, detail: string, headers?: Record<string, string>): Handshake {
  const problem = { status, code, detail };
  return headers === undefined ? { ok: false, problem } : { ok: false, problem, headers };
}
