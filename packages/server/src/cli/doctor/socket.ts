/** A WebSocket through whatever stands before the server: the handshake, and a heartbeat there and back. */
import { encodeFrame, parseServerFrame } from "@carillon/protocol/json";
import { SUBPROTOCOL } from "@carillon/protocol/version";
import type { Io } from "../command.ts";
import type { Endpoint } from "../endpoint.ts";

export interface HeartbeatAnswered {
  readonly ok: true;
  /** There and back. */
  readonly roundTripMs: number;
  /** Absent if the server does not let this key in. */
  readonly defaultChannel?: string;
}

export interface HeartbeatLost {
  readonly ok: false;
  readonly reason: string;
  /** What the handshake was answered with, if it was no 101. */
  readonly status?: number;
}

const CONNECT = 1;
const PING = 2;
/** Bun's words for an answer that is no 101. */
const STATUS = /Expected 101 status code: (\d{3})/;

/** Says `connect` and sends a heartbeat; resolves within `limitMs`. */
export function heartbeat(
  { url, key, ca }: Endpoint,
  { clock, openSocket }: Pick<Io, "clock" | "openSocket">,
  limitMs: number,
): Promise<HeartbeatAnswered | HeartbeatLost> {
  const socket = openSocket(`${url.replace(/^http/, "ws")}/ws`, {
    protocols: [SUBPROTOCOL],
    ...(ca !== undefined && { tls: { ca } }),
  });
  const { promise, resolve } = Promise.withResolvers<HeartbeatAnswered | HeartbeatLost>();
  let sentMs = 0;
  let defaultChannel: string | undefined;
  const send = (frame: Parameters<typeof encodeFrame>[0]) => {
    sentMs = clock.monotonicMs();
    socket.send(encodeFrame(frame));
  };
  const answered = () => {
    const roundTripMs = clock.monotonicMs() - sentMs;
    resolve({ ok: true, roundTripMs, ...(defaultChannel !== undefined && { defaultChannel }) });
  };
  socket.addEventListener("open", () => {
    send({
      type: "connect",
      id: CONNECT,
      client: "carillon-doctor",
      ...(key !== undefined && { token: key }),
    });
  });
  socket.addEventListener("message", ({ data }) => {
    const frame = parseServerFrame(String(data));
    if (frame?.type === "connected") {
      defaultChannel = frame.defaultChannel;
      send({ type: "ping", id: PING });
    } else if (frame?.type === "pong") answered();
    // A key that is refused is another check's to tell. The refusal came back, and that is what counts here.
    else if (frame?.type === "error") answered();
  });
  socket.addEventListener("error", (event) => {
    const message = "message" in event ? String(event.message) : "";
    const status = Number(STATUS.exec(message)?.[1] ?? Number.NaN);
    const reason = message.replace(/^.* failed: /, "");
    resolve({ ok: false, reason, ...(Number.isFinite(status) && { status }) });
  });
  socket.addEventListener("close", ({ code, reason }) => {
    resolve({ ok: false, reason: `closed with ${code}${reason === "" ? "" : ` ${reason}`}` });
  });
  const cancel = clock.setTimer(limitMs, () => {
    resolve({ ok: false, reason: `no answer within ${limitMs / 1_000} s` });
  });
  return promise.finally(() => {
    cancel();
    socket.close();
  });
}
