/** What an answer that is no success says, in one line. */
import { printable } from "../lib/printable.ts";
import { RefusedError, UnreachableError } from "./errors.ts";

/** A proxy says so of a server behind it that it cannot reach. */
const FROM_PROXY = [502, 503, 504];

/** The error for an answer whose status is no success. Reads its body. */
export async function errorFor(response: Response, url: string): Promise<Error> {
  const { status, headers } = response;
  if (isProblem(headers)) return problemOf(response, url);
  if (await isUnavailable(response)) {
    const reason = "it cannot keep publications now; its log says why";
    return new RefusedError(`${url} is not ready: ${reason}`, { status, code: "unavailable" });
  }
  if (status >= 300 && status < 400) {
    // Followed, the key would go wherever the answer says.
    const target = printable(headers.get("location") ?? "another address");
    return new RefusedError(`${url} answers ${status} and points to ${target}; give that as --url`, {
      status,
    });
  }
  const by = headers.get("via") ?? headers.get("server");
  const said = `${status} ${printable(response.statusText)}${by === null ? "" : ` from ${printable(by)}`}`;
  if (FROM_PROXY.includes(status)) {
    return new UnreachableError(
      `${url} cannot be reached: ${said}, a proxy that finds no Carillon behind it`,
    );
  }
  return new RefusedError(`${said}, not in Carillon's words; is ${url} its address?`, { status });
}

function isProblem(headers: Headers): boolean {
  return headers.get("content-type")?.startsWith("application/problem+json") === true;
}

/** What `/readyz` answers when it is red. */
async function isUnavailable(response: Response): Promise<boolean> {
  if (response.headers.get("content-type")?.startsWith("application/json") !== true) return false;
  const answer: unknown = await response.json().catch(() => undefined);
  return (answer as { status?: unknown } | null | undefined)?.status === "unavailable";
}

async function problemOf(response: Response, url: string): Promise<Error> {
  const { status, headers } = response;
  const problem: unknown = await response.json().catch(() => undefined);
  const { code, detail } = { ...(typeof problem === "object" ? problem : {}) } as Record<string, unknown>;
  if (typeof code !== "string" || typeof detail !== "string") {
    return new RefusedError(`${status} without a reason from ${url}`, { status });
  }
  const hint = code === "token_required" ? "; give one by CARILLON_KEY or --key" : "";
  const retryAfterS = Number(headers.get("retry-after") ?? Number.NaN);
  return new RefusedError(`${status} ${printable(code)}: ${printable(detail)}${hint}`, {
    status,
    code,
    retryAfterS: Number.isFinite(retryAfterS) ? retryAfterS : undefined,
  });
}

/** By the code of what `fetch` throws. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there; carillon serve runs a server",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "the name of the host cannot be looked up now",
  ECONNRESET: "the connection was cut before the answer was complete",
  EPROTO: "what listens there does not speak https",
  Malformed_HTTP_Response: "what listens there does not speak HTTP",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  CERT_HAS_EXPIRED: "its certificate has expired",
};

const UNTRUSTED = /^(?:UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|UNKNOWN_CERTIFICATE)/;

/** The error for a request that came to no answer. */
export function unreachable(error: unknown, url: string): UnreachableError {
  const { code = "", message } = error as { readonly code?: string; readonly message: string };
  const known = REASONS[code];
  const isUntrusted = UNTRUSTED.test(code);
  const untrusted = `its certificate is not trusted (${code}); --ca FILE names an authority of your own`;
  const reason = known ?? (isUntrusted ? untrusted : (message.split(/\. |\n/, 1)[0] ?? ""));
  return new UnreachableError(`${url} cannot be reached: ${printable(reason)}`);
}
