/** `carillon tokens sign`: a JWT, made here and by nobody asked. */
import { SignJWT } from "jose";
import { ConfigError } from "../config.ts";
import { machineTimeZone, timestampFormat } from "../lib/timestamp.ts";
import { command } from "./command.ts";
import { jsonFlag } from "./endpoint.ts";
import { describeGrants, grantFlags, grantsNothing, readExpiry, readGrants } from "./grants.ts";
import { DONE } from "./help.ts";

const DEFAULT_EXPIRES = "1h";
/** RFC 7518 section 3.2: as long as what HS256 puts out. The server takes no shorter one either. */
const SHORTEST_SECRET = 32;

export const signToken = command({
  name: "tokens sign",
  group: "Look after it",
  about: "make a JWT for an app's user, as your own login service would",
  text: [
    "Signs a JWT with the secret that the server was started with (--jwt-secret). No server is asked, none keeps it, and it cannot be withdrawn: keep it short-lived. For tests, and to see what your own service has to sign.",
    'The claims are {"sub", "exp", "carillon": {"subscribe": […], "publish": […], "history": […], "presence": […]}}.',
  ],
  args: [],
  flags: {
    subject: { value: "USER", about: "who it is for; needed" },
    ...grantFlags,
    expires: { value: "1h", about: "how long it is valid", initial: DEFAULT_EXPIRES },
    audience: { value: "AUD", about: "for a server with --jwt-audience" },
    issuer: { value: "ISS", about: "for a server with --jwt-issuer" },
    secret: { value: "SECRET", about: "the server's --jwt-secret", variable: "CARILLON_JWT_SECRET" },
    ...jsonFlag,
  },
  examples: [
    "CARILLON_JWT_SECRET=… carillon tokens sign --subject alice --subscribe 'news/*'",
    "carillon listen --channel news --token $(carillon tokens sign --subject alice --subscribe news)",
  ],
  async run({ flags }, io) {
    const { subject = "", expires = DEFAULT_EXPIRES, audience, issuer } = flags;
    if (subject === "") throw new ConfigError("--subject is needed: who the token is for");
    const grants = readGrants(flags);
    if (grantsNothing(grants)) {
      throw new ConfigError("say what it may do: --subscribe, --publish, --history or --presence");
    }
    const secret = readSecret(flags.secret, io.env);
    const nowMs = io.clock.wallMs();
    const endS = Math.floor(readExpiry(expires, nowMs) / 1_000);
    const jwt = new SignJWT({ carillon: { ...grants } })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setSubject(subject)
      .setIssuedAt(Math.floor(nowMs / 1_000))
      .setExpirationTime(endS);
    if (audience !== undefined) jwt.setAudience(audience);
    if (issuer !== undefined) jwt.setIssuer(issuer);
    const token = await jwt.sign(new TextEncoder().encode(secret));
    if (flags.json !== undefined)
      io.out(JSON.stringify({ token, expiresAt: new Date(endS * 1_000).toISOString() }));
    else {
      const until = timestampFormat(machineTimeZone())(endS * 1_000);
      io.err(`For ${subject}, who may ${describeGrants(grants, false)} until ${until}:`);
      io.out(token);
    }
    return DONE;
  },
});

function readSecret(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  const secret = flag ?? env["CARILLON_JWT_SECRET"] ?? "";
  if (secret === "")
    throw new ConfigError("--secret or CARILLON_JWT_SECRET is needed: the server's --jwt-secret");
  if (secret.length >= SHORTEST_SECRET) return secret;
  throw new ConfigError(`--secret: expected at least ${SHORTEST_SECRET} characters`);
}
