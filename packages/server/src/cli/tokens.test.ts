import { expect, test } from "bun:test";
import { jwtVerify } from "jose";
import { runCommandLine } from "./run.ts";
import { tableOf } from "./table.ts";
import { type Answer, answerWith, fakeIo, problem } from "./testing/fake-io.ts";
import { tokens } from "./tokens.ts";
import { signToken } from "./tokens-sign.ts";

const KEY = "a-key-for-these-tests";
const SECRET = "a-secret-for-these-tests-of-32-letters";
const ci = {
  id: "k3v9ZqaB",
  name: "ci",
  subscribe: [],
  publish: ["builds"],
  history: ["a/*", "b"],
  presence: [],
  admin: false,
  createdAt: "2026-11-24T09:30:00.000Z",
};
const root = {
  id: "Zk31yQ00",
  name: "根\u001b[2J",
  admin: true,
  createdAt: ci.createdAt,
  lastUsedAt: ci.createdAt,
};

async function run(typed: readonly string[], answer?: Answer, env: Record<string, string> = {}) {
  const fake = fakeIo({ env: { CARILLON_KEY: KEY, ...env }, ...(answer !== undefined && { answer }) });
  const code = await runCommandLine(["tokens", ...typed], [...tokens, signToken], fake.io);
  return { ...fake, code };
}

test("list: all pages, in aligned columns", async () => {
  const pages = [
    { tokens: [ci], next: ci.id },
    { tokens: [root], next: null },
  ];
  const { out, requests } = await run(["list"], (_, index) => answerWith(pages[index]));
  expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET http://localhost:8080/v1/tokens?limit=1000",
    `GET http://localhost:8080/v1/tokens?limit=1000&after=${ci.id}`,
  ]);
  const [heads = "", first = "", second = ""] = out;
  expect(heads).toMatch(/^ID {8}NAME {4}EXPIRES {2}LAST USED {12}MAY$/);
  expect(first).toBe("k3v9ZqaB  ci      -        -                    publish builds; history a/*, b");
  expect(second).toMatch(/^Zk31yQ00 {2}根\ufffd\[2J {2}- {8}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}everything$/);
});

test("list --json: all pages as one document, with what later versions add", async () => {
  const { out } = await run(["list", "--json"], () =>
    answerWith({ tokens: [{ ...ci, colour: 1 }], next: null }),
  );
  expect(JSON.parse(out.join())).toEqual({ tokens: [{ ...ci, colour: 1 }] });
});

test("list: none is said", async () => {
  expect((await run(["list"], () => answerWith({ tokens: [], next: null }))).out[0]).toContain(
    "There are none",
  );
});

test("add: standard output is the token alone; what it may do is told beside it", async () => {
  const flags = ["--publish", "builds", "--history", "a/*, b", "--history", "c", "--expires", "30d"];
  const answer = { ...ci, expiresAt: "2026-12-24T09:30:00.000Z", token: "ck_k3v9ZqaB_secret" };
  const { code, out, err, requests } = await run(["add", "ci", ...flags], () => answerWith(answer, 201));
  expect({ code, out }).toEqual({ code: 0, out: ["ck_k3v9ZqaB_secret"] });
  expect(requests[0]).toMatchObject({
    method: "POST",
    body: { name: "ci", publish: ["builds"], history: ["a/*", "b", "c"], expiresAt: answer.expiresAt },
  });
  expect(Object.keys(requests[0]?.body as object)).not.toContain("admin");
  expect(err.join()).toContain("may publish builds; history a/*, b, c, until 2026-12-24");
});

test("add --admin --json", async () => {
  const { out, requests } = await run(["add", "root", "--admin", "--json"], () =>
    answerWith({ ...root, token: "ck_1_2" }, 201),
  );
  expect(requests[0]?.body).toEqual({ name: "root", admin: true });
  expect(JSON.parse(out.join())).toMatchObject({ token: "ck_1_2" });
});

test("revoke: by id; one that is not there is an error", async () => {
  const { out, requests } = await run(["revoke", "a/b"], () => new Response(null, { status: 204 }));
  expect(out).toEqual(["Revoked a/b"]);
  expect(requests[0]).toMatchObject({ method: "DELETE", url: "http://localhost:8080/v1/tokens/a%2Fb" });
  const missing = await run(["revoke", "x"], () => problem(404, "not_found", "there is no token x"));
  expect(missing.code).toBe(1);
  expect(missing.err).toEqual(["carillon: 404 not_found: there is no token x"]);
});

test.each([
  [["add", "ci"], "say what it may do"],
  [["add", "ci", "--publish", "a b"], '--publish "a b"'],
  [["add", "ci", "--publish", "a,,b"], '--publish ""'],
  [["add", "ci", "--publish", "a", "--expires", "soon"], "--expires"],
  [["add", "ci", "--publish", "a", "--expires", "999999d"], "--expires"],
  [["add"], "NAME is missing"],
  [["sign", "--subscribe", "a"], "--subject is needed"],
  [["sign", "--subject", "alice", "--secret", SECRET], "say what it may do"],
  [["sign", "--subject", "alice", "--subscribe", "a"], "CARILLON_JWT_SECRET"],
  [["sign", "--subject", "alice", "--subscribe", "a", "--secret", "short"], "at least 32"],
])("%j is wrong usage", async (typed, said) => {
  const { code, err, requests } = await run(typed);
  expect({ code, requests }).toEqual({ code: 2, requests: [] });
  expect(err.join()).toContain(said);
  expect(err.join()).not.toContain(SECRET);
});

test("sign: a JWT that the server's kind of check takes, without asking a server", async () => {
  const flags = [
    "--subject",
    "alice",
    "--subscribe",
    "news/*",
    "--expires",
    "2h",
    "--audience",
    "a",
    "--issuer",
    "i",
  ];
  const { code, out, err, requests, clock } = await run(["sign", ...flags], undefined, {
    CARILLON_JWT_SECRET: SECRET,
  });
  expect({ code, requests, lines: out.length }).toEqual({ code: 0, requests: [], lines: 1 });
  const nowS = clock.wallMs() / 1_000;
  const { payload, protectedHeader } = await jwtVerify(out[0] ?? "", new TextEncoder().encode(SECRET), {
    currentDate: new Date(clock.wallMs()),
    audience: "a",
    issuer: "i",
  });
  expect(protectedHeader.alg).toBe("HS256");
  expect(payload).toEqual({
    sub: "alice",
    aud: "a",
    iss: "i",
    iat: nowS,
    exp: nowS + 7_200,
    carillon: { subscribe: ["news/*"], publish: [], history: [], presence: [] },
  });
  expect(err.join()).toContain("For alice, who may subscribe news/* until");
});

test("sign --json, an hour unless told otherwise", async () => {
  const flags = ["--subject", "alice", "--publish", "a", "--json", "--secret", SECRET];
  const { out, err } = await run(["sign", ...flags]);
  expect(err).toEqual([]);
  expect(JSON.parse(out.join())).toMatchObject({ expiresAt: "2026-11-24T10:30:00.000Z" });
});

test("wide letters are two columns wide, and lines do not end in blanks", () => {
  expect(
    tableOf(
      ["A", "B"],
      [
        ["茶", "x"],
        ["tea", ""],
      ],
    ),
  ).toEqual(["A    B", "茶   x", "tea"]);
});
