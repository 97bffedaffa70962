/**
 * The WebSocket gateway: Bun's sockets on one side, the hub's sessions on the other.
 *
 * What is here is only what has to know Bun. A socket is its session's `Outbound`; Bun's native topics are the
 * hub's fan-out, so one publish is one native call and one encoded frame for all who are subscribed.
 */
import { SUBPROTOCOL } from "@carillon/protocol/version";
import type { Server, WebSocketHandler } from "bun";
import type { Hub } from "../hub/hub.ts";
import type { Outbound } from "../hub/ports.ts";
import type { Session, SessionInfo } from "../hub/session.ts";
import type { TextInfo } from "../hub/text-session.ts";
import type { NextId } from "../lib/ids.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Admission } from "./admission.ts";
import type { ClientAddress } from "./client-address.ts";
import { type Handshake, type HandshakeRules, readHandshake } from "./handshake.ts";
import { problemResponse } from "./problem.ts";

/** What Bun keeps for each socket: who it is from the handshake on, its session once it is open. */
export interface SocketData {
  readonly info: SessionInfo | TextInfo;
  session: Session | undefined;
}

/**
 * A client that is this far behind is cut off: it costs memory, and what it misses it will not catch up with.
 * Without the setting beside it, Bun would silently drop frames over the limit and keep the connection.
 */
export const BACKPRESSURE_LIMIT_BYTES = 1024 * 1024;

export interface WebSocketPorts {
  readonly rules: HandshakeRules;
  readonly admission: Admission;
  readonly addressOf: ClientAddress;
  readonly nextId: NextId;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Answers a request to `/ws`: the refusal, or nothing once the connection is taken over. */
export function upgrade(
  request: Request,
  url: URL,
  server: Server<SocketData>,
  { rules, admission, addressOf, metrics, nextId, log }: WebSocketPorts,
): Response | undefined | Promise<Response | undefined> {
  const address = addressOf(server.requestIP(request)?.address, request.headers.get("x-forwarded-for"));
  const refusal = admission.enter(address);
  if (refusal !== undefined)
    return answer({ ok: false, ...refusal }, request, server, address, { nextId, log });
  const finish = (handshake: Handshake) => {
    const response = answer(handshake, request, server, address, { nextId, log });
    if (!handshake.ok) metrics.refused.inc({ code: handshake.problem.code });
    if (response !== undefined) admission.leave(address);
    return response;
  };
  const handshake = readHandshake(request, url, rules);
  return handshake instanceof Promise ? handshake.then(finish) : finish(handshake);
}

function answer(
  handshake: Handshake,
  request: Request,
  server: Server<SocketData>,
  address: string,
  { nextId, log }: Pick<WebSocketPorts, "nextId" | "log">,
): Response | undefined {
  if (!handshake.ok) {
    log.debug(`Handshake refused: ${handshake.problem.code}`, { address, ...handshake.problem });
    return problemResponse(handshake.problem, handshake.headers);
  }
  const caller = { id: nextId(), address };
  const isText = handshake.protocol === "text";
  const data = { info: isText ? { ...caller, ...handshake.query } : caller, session: undefined };
  // Left alone, Bun answers with the first sub-protocol that was offered, whatever it is.
  const headers: Record<string, string> = isText ? {} : { "sec-websocket-protocol": SUBPROTOCOL };
  if (server.upgrade(request, { data, headers })) return undefined;
  return problemResponse({ status: 400, code: "invalid_handshake", detail: "not a WebSocket handshake" });
}

/** Bun's callbacks. Frames are handled synchronously: Bun would let async handlers of one socket overlap. */
export function webSocketHandler(
  hub: Hub,
  admission: Admission,
  maxFrameBytes: number,
): WebSocketHandler<SocketData> {
  return {
    maxPayloadLength: maxFrameBytes,
    backpressureLimit: BACKPRESSURE_LIMIT_BYTES,
    closeOnBackpressureLimit: true,
    // Deflating once per subscriber would cost more than all the rest of a fan-out.
    perMessageDeflate: false,
    // Liveness is the hub's: Bun's own timeout spares a mute peer that is being sent to, and its pings wake phones.
    idleTimeout: 0,
    sendPings: false,
    open(socket) {
      const outbound: Outbound = socket;
      const { info } = socket.data;
      socket.data.session =
        "channels" in info ? hub.connectText(info, outbound) : hub.connectV1(info, outbound);
    },
    message(socket, frame) {
      socket.data.session?.receive(frame);
    },
    ping(socket) {
      socket.data.session?.seen();
    },
    pong(socket) {
      socket.data.session?.seen();
    },
    drain(socket) {
      socket.data.session?.drain();
    },
    close(socket, code, reason) {
      const { session, info } = socket.data;
      admission.leave(info.address);
      socket.data.session = undefined;
      if (session !== undefined) hub.disconnect(session, code, reason);
    },
  };
}
