/** The push service's half of RFC 8292, written from the RFC on WebCrypto. */

export interface Identified {
  readonly aud: string;
  readonly exp: number;
  readonly sub: string | undefined;
  /** The public key, in base64url. */
  readonly key: string;
}

/**
 * Who has sent a message to `origin`.
 * @throws {Error} if the header is not as the RFC has it.
 */
export async function identify(header: string | null, origin: string, nowMs: number): Promise<Identified> {
  // Section 3: the scheme, and two parameters in any order.
  const { t, k } = parametersOf(header ?? "");
  const [head = "", claims = "", signature = ""] = t.split(".");
  assertThat(t.split(".").length === 3, "a JWT of three parts");
  const { alg, typ } = JSON.parse(Buffer.from(head, "base64url").toString()) as Record<string, unknown>;
  assertThat(alg === "ES256" && (typ === undefined || typ === "JWT"), "ES256");
  const key = await crypto.subtle.importKey(
    "raw",
    Buffer.from(k, "base64url"),
    { name: "ECDSA", namedCurve: "P-256" },
    false,
    ["verify"],
  );
  const isGenuine = await crypto.subtle.verify(
    { name: "ECDSA", hash: "SHA-256" },
    key,
    Buffer.from(signature, "base64url"),
    Buffer.from(`${head}.${claims}`),
  );
  assertThat(isGenuine, "a signature by the key");
  const { aud, exp, sub } = JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<
    string,
    unknown
  >;
  // Section 2: the origin, at most a day ahead, and a way to reach the sender.
  assertThat(aud === origin, `aud ${origin}, and not ${aud}`);
  const leftS = Number(exp) - nowMs / 1_000;
  assertThat(Number.isInteger(exp) && leftS > 0 && leftS <= 86_400, "exp within a day");
  assertThat(sub === undefined || /^(?:mailto:|https:)/.test(String(sub)), "sub an address");
  return { aud, exp: Number(exp), sub: sub as string | undefined, key: k };
}

function parametersOf(header: string): { readonly t: string; readonly k: string } {
  const [, list = ""] = /^vapid (.+)$/.exec(header) ?? [];
  const entries = list.split(",").map((each) => each.trim().split("="));
  const { t, k, ...others } = Object.fromEntries(entries) as Record<string, string>;
  assertThat(t !== undefined && k !== undefined && Object.keys(others).length === 0, "vapid t=…, k=…");
  return { t: t ?? "", k: k ?? "" };
}

function assertThat(condition: boolean, expected: string): asserts condition {
  if (!condition) throw new Error(`VAPID: expected ${expected}`);
}
