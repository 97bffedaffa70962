/**
 * The WebSocket handshake, decided: which requests on `/ws` become connections, and what the others are told.
 * Pure; the socket is opened in `websocket.ts`.
 */
import { channelNameProblem } from "@carillon/protocol/channel";
import { deviceIdProblem } from "@carillon/protocol/device";
import { SUBPROTOCOL } from "@carillon/protocol/version";
import type { Access, Authenticate, Authenticated } from "../hub/access.ts";
import type { SessionInfo } from "../hub/session.ts";
import { parseSince } from "../hub/since.ts";
import type { TextInfo } from "../hub/text-session.ts";
import { tokenOf, unauthorized } from "./bearer.ts";
import type { Problem } from "./problem.ts";

export interface HandshakeRules {
  readonly defaultChannel: string;
  /** Origins besides the server's own whose pages may connect; `*` for all. */
  readonly allowedOrigins: readonly string[];
  readonly authenticate: Authenticate;
  /** Whose connection it is: of the token's device, or of one that it names and may be. */
  readonly enter: (
    access: Access,
    named: string | undefined,
  ) => Promise<{ readonly id: string } | undefined | "forbidden">;
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

/** Decides on a request to `/ws`. */
export function readHandshake(
  request: Request,
  url: URL,
  rules: HandshakeRules,
): Handshake | Promise<Handshake> {
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
  if (offered === null) return readQuery(url.searchParams, tokenOf(request, url), rules);
  if (offered.split(",").some((name) => name.trim() === SUBPROTOCOL)) return { ok: true, protocol: "v1" };
  return refuse(400, "unknown_subprotocol", `of the sub-protocols, ${SUBPROTOCOL} is spoken here, or none`);
}

/** Who it is comes before what it wants: a stranger learns nothing about the rest. */
function readQuery(
  query: URLSearchParams,
  token: string | undefined,
  rules: HandshakeRules,
): Handshake | Promise<Handshake> {
  const authenticated = rules.authenticate(token);
  const decide = (access: Authenticated) => {
    const handshake = decideQuery(query, token, access, rules.defaultChannel);
    return isDevices(handshake) ? enter(handshake, token, rules) : handshake;
  };
  return authenticated instanceof Promise ? authenticated.then(decide) : decide(authenticated);
}

type TextHandshake = Extract<Handshake, { protocol: "text" }>;

function isDevices(handshake: Handshake): handshake is TextHandshake {
  if (!handshake.ok || handshake.protocol !== "text") return false;
  const { access, device } = handshake.query;
  return access.device !== undefined || device !== undefined;
}

async function enter(
  handshake: TextHandshake,
  token: string | undefined,
  { enter }: HandshakeRules,
): Promise<Handshake> {
  const { access, device: named } = handshake.query;
  try {
    const device = await enter(access, named);
    if (device === undefined) return handshake;
    if (device !== "forbidden") return { ...handshake, query: { ...handshake.query, device: device.id } };
  } catch {
    return refuse(503, "storage_unavailable", "what is kept of devices cannot be read now");
  }
  if (token === undefined) return { ok: false, ...unauthorized(undefined) };
  return refuse(403, "forbidden", "this token is not this device's");
}

function decideQuery(
  query: URLSearchParams,
  token: string | undefined,
  access: Authenticated,
  defaultChannel: string,
): Handshake {
  if (typeof access === "string") return { ok: false, ...unauthorized(access) };
  const channels = new Set(query.getAll("channel"));
  if (channels.size === 0) channels.add(defaultChannel);
  if (channels.size > MAX_CHANNELS) {
    return refuse(400, "too_many_channels", `at most ${MAX_CHANNELS} channels a connection`);
  }
  for (const channel of channels) {
    const problem = channelNameProblem(channel);
    if (problem !== undefined) return refuse(400, "invalid_channel", `channel: ${problem}`);
    if (access.may("subscribe", channel)) continue;
    return token === undefined
      ? { ok: false, ...unauthorized(undefined) }
      : refuse(403, "forbidden", `this token does not allow to receive ${channel}`);
  }
  return readResumption(query, access, [...channels]);
}

/** Where the client wants to be caught up from, if it says so. */
function readResumption(query: URLSearchParams, access: Access, channels: readonly string[]): Handshake {
  const device = query.get("device") ?? undefined;
  const deviceProblem = device === undefined ? undefined : deviceIdProblem(device);
  if (deviceProblem !== undefined) return refuse(400, "invalid_device", `device: ${deviceProblem}`);
  const text = query.get("since");
  const since = text === null ? undefined : parseSince(text);
  if (text !== null && since === undefined) {
    return refuse(400, "invalid_since", "since: an offset, or epoch:offset");
  }
  const resumption = { ...(device !== undefined && { device }), ...(since !== undefined && { since }) };
  return { ok: true, protocol: "text", query: { access, channels, ...resumption } };
}

/**
 * Browsers name the page's origin and nothing else does (RFC 6455 section 10.2), so a request without one is
 * no page's. The server's own pages come from the host that the request is for.
 */
export function isOriginAllowed(headers: Headers, allowed: readonly string[]): boolean {
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
