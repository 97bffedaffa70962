/** `carillon tokens`: keys for programs, each with what it may do. */
import { z } from "zod";
import { ConfigError } from "../config.ts";
import { machineTimeZone, timestampFormat } from "../lib/timestamp.ts";
import { command } from "./command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "./endpoint.ts";
import { describeGrants, grantFlags, grantsNothing, readExpiry, readGrants, saidGrants } from "./grants.ts";
import { DONE } from "./help.ts";
import { Api, type RequestOptions } from "./http.ts";
import { patiently } from "./progress.ts";
import { tableOf } from "./table.ts";

const patterns = z.array(z.string()).optional();
const token = z.looseObject({
  id: z.string(),
  name: z.string(),
  subscribe: patterns,
  publish: patterns,
  history: patterns,
  presence: patterns,
  admin: z.boolean().optional(),
  createdAt: z.string().optional(),
  expiresAt: z.string().optional(),
  lastUsedAt: z.string().optional(),
});
type Token = z.output<typeof token>;
const page = z.object({ tokens: z.array(token), next: z.string().nullable() });
const made = token.extend({ token: z.string() });

const PAGE = 1_000;

const listTokens = command({
  name: "tokens list",
  group: "Look after it",
  about: "list tokens, what they may do and when they were last used",
  text: [
    "Lists the tokens that were made by carillon tokens add. JWTs are not listed: the server does not keep them.",
  ],
  args: [],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: [
    "carillon tokens list",
    "carillon tokens list --json | jq -r '.tokens[] | select(.admin) | .name'",
  ],
  async run({ flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const tokens = await patiently(io, api.url, readAll(api));
    if (flags.json !== undefined) io.out(JSON.stringify({ tokens }));
    else if (tokens.length === 0) io.out("There are none; carillon tokens add makes one");
    else for (const line of tableOf(HEADS, tokens.map(rowOf))) io.out(line);
    return DONE;
  },
});

async function readAll(api: Api): Promise<readonly Token[]> {
  const all: Token[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const query: RequestOptions["query"] = { limit: PAGE, ...(after !== "" && { after }) };
    const answer: z.output<typeof page> = await api.json("GET", "/v1/tokens", page, { query });
    all.push(...answer.tokens);
    after = answer.next;
  }
  return all;
}

const HEADS = ["ID", "NAME", "EXPIRES", "LAST USED", "MAY"];

function rowOf(each: Token): readonly string[] {
  const { id, name, expiresAt, lastUsedAt, admin = false } = each;
  return [id, name, timeOf(expiresAt), timeOf(lastUsedAt), describeGrants(grantsOf(each), admin)];
}

/** A time as people read it on this machine; a dash for never. */
function timeOf(text: string | undefined): string {
  return text === undefined ? "-" : timestampFormat(machineTimeZone())(Date.parse(text));
}

function grantsOf({ subscribe = [], publish = [], history = [], presence = [] }: Token) {
  return { subscribe, publish, history, presence };
}

const addToken = command({
  name: "tokens add",
  group: "Look after it",
  about: "make a token, for a program",
  text: [
    "Makes a token and prints it, this once: the server keeps only what it takes to recognise it. What it may do goes to standard error, so a script can take the token as it is.",
    "A pattern is a channel's name in which * stands for any letters. What is not granted is refused.",
  ],
  args: ["NAME"],
  flags: {
    ...grantFlags,
    admin: { about: "everything: all channels, tokens, backups" },
    expires: { value: "30d", about: "how long it is valid", initial: "until it is revoked" },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    "carillon tokens add nightly-backup --publish ops",
    "carillon tokens add dashboard --subscribe 'sensors/*' --history 'sensors/*' --expires 365d",
    "TOKEN=$(carillon tokens add ci --publish builds) && CARILLON_KEY=$TOKEN carillon push builds green",
  ],
  async run({ args: [name], flags }, io) {
    const grants = readGrants(flags);
    const admin = flags.admin !== undefined;
    if (!admin && grantsNothing(grants)) {
      throw new ConfigError("say what it may do: --subscribe, --publish, --history, --presence or --admin");
    }
    const { expires } = flags;
    const expiresAt = expires && new Date(readExpiry(expires, io.clock.wallMs())).toISOString();
    const api = new Api(readEndpoint(flags, io), io);
    const body = { name, ...saidGrants(grants), ...(admin && { admin }), ...(expiresAt && { expiresAt }) };
    const answer = await patiently(io, api.url, api.json("POST", "/v1/tokens", made, { body }));
    if (flags.json !== undefined) io.out(JSON.stringify(answer));
    else {
      const until =
        answer.expiresAt === undefined ? "until it is revoked" : `until ${timeOf(answer.expiresAt)}`;
      io.err(
        `Token ${answer.id} (${name}) may ${describeGrants(grants, admin)}, ${until}. It is shown this once:`,
      );
      io.out(answer.token);
    }
    return DONE;
  },
});

const revokeToken = command({
  name: "tokens revoke",
  group: "Look after it",
  about: "withdraw a token; who is connected by it is cut off",
  text: ["Withdraws a token at once, for good. Connections that were made with it are closed."],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon tokens list", "carillon tokens revoke k3v9ZqaB"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    await patiently(io, api.url, api.done("DELETE", `/v1/tokens/${encodeURIComponent(id)}`));
    io.out(flags.json === undefined ? `Revoked ${id}` : JSON.stringify({ id, revoked: true }));
    return DONE;
  },
});

export const tokens = [listTokens, addToken, revokeToken];
