/**
 * The WebSocket handshake, decided: which requests on `/ws` become connections, and what the others are told.
 * Pure; the socket is opened in `websocket.ts`.
 */
import { channelNameProblem } from "@carillon/protocol/channel";
import { deviceIdProblem } from "@carillon/protocol/device";
import { SUBPROTOCOL } from "@carillon/protocol/version";
import type { Authenticate } from "../hub/access.ts";
import type { SessionInfo } from "../hub/session.ts";
import type { TextInfo } from "../hub/text-session.ts";
import type { Problem } from "./problem.ts";

export interface HandshakeRules {
  readonly defaultChannel: string;
  /** Origins besides the server's own whose pages may connect; `*` for all. */
  readonly allowedOrigins: readonly string[];
  readonly authenticate: Authenticate;
}

export type Handshake =
  | { readonly ok: true; readonly protocol: "text"; readonly query: TextQuery }
  /** `carillon.v1`: who it is and what it wants is said in frames. */
  | { readonly ok: true; readonly protocol: "v1" }
  | { readonly ok: false; readonly problem: Problem; readonly headers?: Record<string, string> };

/** What a plain-text client asks for. */
export type TextQuery = Omit<TextInfo, keyof SessionInfo>;

/** Sixteen bytes in base64 (RFC 6455 section 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
/** A plain-text client that wants more has a use for `carillon.v1`. */
const MAX_CHANNELS = 100;

/** An offset, or `epoch:offset`. */
const SINCE = /^(?:([A-Za-z0-9_-]{1,64}):)?(\d{1,15})$/;

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
  if (!isOriginAllowed(headers, rules.allowedOrigins)) {
    return refuse(403, "origin_not_allowed", "pages of this origin may not connect; see --allowed-origins");
  }
  const offered = headers.get("sec-websocket-protocol");
  if (offered === null) return readQuery(url.searchParams, rules);
  if (offered.split(",").some((name) => name.trim() === SUBPROTOCOL)) return { ok: true, protocol: "v1" };
  return refuse(400, "unknown_subprotocol", `of the sub-protocols, ${SUBPROTOCOL} is spoken here, or none`);
}

function readQuery(query: URLSearchParams, { defaultChannel, authenticate }: HandshakeRules): Handshake {
  const token = query.get("token") ?? undefined;
  const access = authenticate(token);
  if (access === undefined) return refuse(401, "invalid_token", "the token is not valid");
  const channels = new Set(query.getAll("channel"));
  if (channels.size === 0) channels.add(defaultChannel);
  if (channels.size > MAX_CHANNELS) {
    return refuse(400, "too_many_channels", `at most ${MAX_CHANNELS} channels a connection`);
  }
  for (const channel of channels) {
    const problem = channelNameProblem(channel);
    if (problem !== undefined) return refuse(400, "invalid_channel", `channel: ${problem}`);
    if (access.maySubscribe(channel)) continue;
    return token === undefined
      ? refuse(401, "token_required", "without a token only the default channel can be received, if that")
      : refuse(403, "channel_not_allowed", `this token does not allow to receive ${channel}`);
  }
  return readResumption(query, [...channels]);
}

/** Where the client wants to be caught up from, if it says so. */
function readResumption(query: URLSearchParams, channels: readonly string[]): Handshake {
  const device = query.get("device") ?? undefined;
  const deviceProblem = device === undefined ? undefined : deviceIdProblem(device);
  if (deviceProblem !== undefined) return refuse(400, "invalid_device", `device: ${deviceProblem}`);
  const text = query.get("since") ?? undefined;
  const [since, epoch, offset] = SINCE.exec(text ?? "") ?? [];
  if (text !== undefined && since === undefined) {
    return refuse(400, "invalid_since", "since: an offset, or epoch:offset");
  }
  const start = { ...(epoch !== undefined && { epoch }), offset: Number(offset) };
  return {
    ok: true,
    protocol: "text",
    query: {
      channels,
      ...(device !== undefined && { device }),
      ...(since !== undefined && { since: start }),
    },
  };
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
