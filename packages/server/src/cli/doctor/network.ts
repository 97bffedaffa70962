/** What can be found out about a server from outside, through whatever stands before it. */
import { z } from "zod";
import manifest from "../../../package.json" with { type: "json" };
import { channels } from "../../gateway/api/schemas.ts";
import type { Io } from "../command.ts";
import type { Endpoint } from "../endpoint.ts";
import { RefusedError } from "../errors.ts";
import { Api } from "../http.ts";
import { type Finding, failed, good, warning } from "./findings.ts";
import { heartbeat } from "./socket.ts";

const LIMIT_MS = 10_000;
/** A publish waits for the same disk. */
const SLOW_READY_MS = 1_000;
/** The header counts whole seconds. */
const CLOCK_WARNING_MS = 3_000;
const CLOCK_FAILED_MS = 60_000;
/** The server writes the first line of a stream at once. */
const STREAM_LIMIT_MS = 5_000;

const description = z.object({ info: z.object({ title: z.literal("Carillon"), version: z.string() }) });

type World = Pick<Io, "clock" | "fetch" | "openSocket">;

export interface Patient {
  readonly endpoint: Endpoint;
  readonly io: World;
}

/** One finding after the other; after the first if there is no server to look at. */
export async function* examineServer({ endpoint, io }: Patient): AsyncGenerator<Finding> {
  const api = new Api(endpoint, io);
  const answer = await askServer(api, io);
  yield answer.finding;
  if (answer.headers === undefined) return;
  const proxy = answer.headers.get("via") ?? answer.headers.get("server") ?? undefined;
  yield await readiness(api, io);
  yield clockDifference(answer.headers, answer.roundTripMs, io);
  yield await keyCheck(api, endpoint);
  const beat = await heartbeat(endpoint, io, LIMIT_MS);
  yield beat.ok
    ? good("WebSocket", `opens, and a heartbeat is answered in ${ms(beat.roundTripMs)}`)
    : lostHeartbeat(beat.reason, beat.status);
  const channel = (beat.ok ? beat.defaultChannel : undefined) ?? "push";
  yield await streamCheck(api, channel, proxy, io);
}

interface ServerAnswer {
  readonly finding: Finding;
  /** Absent if there is no Carillon. */
  readonly headers?: Headers;
  readonly roundTripMs: number;
}

async function askServer(api: Api, { clock }: World): Promise<ServerAnswer> {
  const check = "Server";
  try {
    const startMs = clock.monotonicMs();
    const { headers } = await api.done("GET", "/healthz", { isAnonymous: true, timeoutMs: LIMIT_MS });
    const roundTripMs = clock.monotonicMs() - startMs;
    const options = { isAnonymous: true, timeoutMs: LIMIT_MS };
    const { version } = (await api.json("GET", "/openapi.json", description, options)).info;
    const says = `Carillon ${version} answers at ${api.url} in ${ms(roundTripMs)}`;
    if (version === manifest.version) return { finding: good(check, says), headers, roundTripMs };
    const advice = "install the same version of both";
    return {
      finding: warning(check, `${says}; this command line is ${manifest.version}`, advice),
      headers,
      roundTripMs,
    };
  } catch (error) {
    const advice =
      "start it with carillon serve, or name its address by --url; then look at firewalls between";
    return { finding: failed(check, reasonOf(error), advice), roundTripMs: 0 };
  }
}

async function readiness(api: Api, { clock }: World): Promise<Finding> {
  const check = "Readiness";
  const startMs = clock.monotonicMs();
  try {
    await api.done("GET", "/readyz", { isAnonymous: true, timeoutMs: LIMIT_MS });
  } catch (error) {
    return failed(check, reasonOf(error), "look at the server's log, and whether its disk is full");
  }
  const tookMs = clock.monotonicMs() - startMs;
  const says = `a write to disk and back takes ${ms(tookMs)}`;
  if (tookMs < SLOW_READY_MS) return good(check, says);
  return warning(check, says, "every publish waits as long; use a faster disk, on this machine");
}

function clockDifference(headers: Headers, roundTripMs: number, { clock }: World): Finding {
  const check = "Clock";
  const date = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(date))
    return warning(check, "the answer carries no date", "compare the two clocks yourself");
  // Half a second for what the header cuts off, half of the way there and back.
  const differenceMs = Math.abs(date + 500 - (clock.wallMs() - roundTripMs / 2));
  if (differenceMs < CLOCK_WARNING_MS) return good(check, "this machine and the server agree");
  const says = `this machine and the server differ by ${Math.round(differenceMs / 1_000)} s`;
  const advice = "set both by NTP: tokens begin and end, and publications expire, by the server's clock";
  return differenceMs < CLOCK_FAILED_MS ? warning(check, says, advice) : failed(check, says, advice);
}

async function keyCheck(api: Api, { key }: Endpoint): Promise<Finding> {
  const check = "Key";
  if (key === undefined) {
    return warning(
      check,
      "none was given",
      "set CARILLON_KEY; without one only the default channel can be received",
    );
  }
  try {
    await api.json("GET", "/v1/channels", channels, { query: { limit: 1 }, timeoutMs: LIMIT_MS });
    return good(check, "accepted, for everything");
  } catch (error) {
    // Who may not list channels is somebody all the same.
    if (error instanceof RefusedError && error.status === 403)
      return good(check, "accepted, for what it was made for");
    return failed(
      check,
      reasonOf(error),
      "take the key in DATA/admin.key, or a token of carillon tokens add",
    );
  }
}

const UPGRADE_REQUIRED = 426;

function lostHeartbeat(reason: string, status: number | undefined): Finding {
  if (status === UPGRADE_REQUIRED) {
    const advice =
      "have the proxy pass on the headers Upgrade and Connection, over HTTP/1.1 (deploy/nginx.conf does)";
    return failed("WebSocket", "a proxy takes the upgrade out of the handshake", advice);
  }
  const says = status === undefined ? reason : `the handshake is answered with ${status}`;
  return failed("WebSocket", says, "have the proxy pass on /ws as it is (deploy/nginx.conf does)");
}

async function streamCheck(
  api: Api,
  channel: string,
  proxy: string | undefined,
  { clock }: World,
): Promise<Finding> {
  const check = "Event stream";
  const startMs = clock.monotonicMs();
  const stop = new AbortController();
  const limits = { timeoutMs: STREAM_LIMIT_MS, pauseMs: STREAM_LIMIT_MS, signal: stop.signal };
  try {
    const { chunks } = await api.download(`/v1/channels/${channel}/stream`, limits);
    for await (const _ of chunks) {
      return good(check, `begins after ${ms(clock.monotonicMs() - startMs)}`);
    }
    return failed(check, "ends before it begins", "have the proxy pass on /v1/ as it is");
  } catch (error) {
    if (error instanceof RefusedError) {
      return warning(check, `not looked at: ${error.message}`, `give a key that may receive ${channel}`);
    }
    const who = proxy === undefined ? "something on the way" : `a proxy (${proxy})`;
    const advice =
      "switch buffering off for /v1/ (nginx: proxy_buffering off), or apps on streams get pushes late";
    return failed(check, `nothing arrives within ${STREAM_LIMIT_MS / 1_000} s: ${who} holds it back`, advice);
  } finally {
    stop.abort(new Error("looked at"));
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
