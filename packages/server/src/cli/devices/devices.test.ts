import { expect, test } from "bun:test";
import { runCommandLine } from "../run.ts";
import { momentOf } from "../schedules/words.ts";
import { type Answer, answerWith, fakeIo, problem } from "../testing/fake-io.ts";
import { devices } from "./devices.ts";

const TIME = "2026-11-24T09:30:00.000Z";
const phone = {
  id: "d_phone",
  registered: true,
  platform: "android",
  appVersion: "2.4.1",
  timeZone: "Asia/Shanghai",
  tags: ["beta", "staff"],
  subscribe: ["news/*"],
  user: "ann",
  webPush: { endpoint: "https://push.example/secret-part" },
  createdAt: TIME,
  lastSeenAt: TIME,
  connected: false,
};
const browser = {
  id: "tab",
  registered: false,
  createdAt: TIME,
  lastSeenAt: TIME,
  connected: true,
  platform: "we\u001b[2Jb",
};
const issued = { id: "d_phone", token: "dk_phone_secret" };

async function run(typed: readonly string[], answer: Answer = () => answerWith(phone)) {
  const fake = fakeIo({ env: { CARILLON_KEY: "a-key-for-these-tests" }, answer });
  const code = await runCommandLine(["devices", ...typed], devices, fake.io);
  const asked = fake.requests.map(
    ({ method, url }) => `${method} ${url.replace("http://localhost:8080", "")}`,
  );
  return { ...fake, code, asked, bodies: fake.requests.map(({ body }) => body) };
}

test("list: by user and by tag, in aligned columns", async () => {
  const { asked, out, err } = await run(["list", "--user", "ann", "--tag", "beta"], () =>
    answerWith({ devices: [phone, browser], next: null }),
  );
  expect(asked).toEqual(["GET /v1/devices?user=ann&tag=beta&limit=1000"]);
  const seen = momentOf(TIME);
  expect(out).toEqual([
    "ID       USER  PLATFORM  SEEN                 TAGS",
    `d_phone  ann   android   ${seen}  beta, staff`,
    "tab      -     we\ufffd[2Jb   now",
  ]);
  expect(err).toEqual([]);
});

test("list: page after page up to a count, and that there are more is said", async () => {
  const answer: Answer = ({ url }) => {
    const limit = Number(new URL(url).searchParams.get("limit"));
    return answerWith({ devices: Array.from({ length: limit }, () => phone), next: "d_phone" });
  };
  const { asked, out, err } = await run(["list", "--count", "2500"], answer);
  expect(asked).toEqual([
    "GET /v1/devices?limit=1000",
    "GET /v1/devices?limit=1000&after=d_phone",
    "GET /v1/devices?limit=500&after=d_phone",
  ]);
  expect(out).toHaveLength(2_501);
  expect(err.join()).toContain("There are more");
  const { out: json } = await run(["list", "--count", "1", "--json"], answer);
  expect(JSON.parse(json.join())).toEqual({ devices: [phone], next: "d_phone" });
});

test("list: none is said", async () => {
  expect((await run(["list"], () => answerWith({ devices: [], next: null }))).out).toEqual([
    "There are none",
  ]);
});

const switches = [
  { channel: "news", push: false },
  { channel: "$all", push: true, quietHours: { from: "22:00", to: "07:00" } },
];
const shown: Answer = ({ url }) =>
  answerWith(url.endsWith("/subscriptions") ? { subscriptions: switches } : phone);

test("show: what is known, where it is found without the secret part, and its switches", async () => {
  const { asked, out } = await run(["show", "d_phone"], shown);
  expect(asked).toEqual(["GET /v1/devices/d_phone", "GET /v1/devices/d_phone/subscriptions"]);
  expect(out).toEqual([
    "id           d_phone",
    "registered   yes",
    "user         ann",
    "platform     android",
    "app version  2.4.1",
    "time zone    Asia/Shanghai",
    "tags         beta, staff",
    "may          subscribe news/*",
    "web push     push.example",
    `made at      ${momentOf(TIME)}`,
    `last seen    ${momentOf(TIME)}`,
    "",
    "CHANNEL  PUSH  QUIET",
    "news     off   -",
    "$all     on    22:00-07:00",
  ]);
  const { out: json } = await run(["show", "d_phone", "--json"], shown);
  expect(JSON.parse(json.join())).toEqual({ ...phone, subscriptions: switches });
});

test("register: standard output is the token alone", async () => {
  const flags = ["--user", "ann", "--tag", "a", "--tag", "b", "--platform", "kiosk", "--app-version", "1"];
  const more = ["--locale", "de-AT", "--time-zone", "Europe/Vienna", "--subscribe", "news/*, alerts"];
  const { code, out, err, asked, bodies } = await run(["register", ...flags, ...more], () =>
    answerWith(issued, 201),
  );
  expect({ code, out, asked }).toEqual({ code: 0, out: ["dk_phone_secret"], asked: ["POST /v1/devices"] });
  expect(err).toEqual(["Device d_phone is registered. Its token is shown this once:"]);
  expect(bodies).toEqual([
    {
      user: "ann",
      tags: ["a", "b"],
      platform: "kiosk",
      appVersion: "1",
      locale: "de-AT",
      timeZone: "Europe/Vienna",
      subscribe: ["news/*", "alerts"],
    },
  ]);
  const { out: json, bodies: none } = await run(["register", "--json"], () => answerWith(issued, 201));
  expect(JSON.parse(json.join())).toEqual(issued);
  expect(none).toEqual([{}]);
});

test("set: what is named is changed, and what is to be removed taken away", async () => {
  const { asked, bodies, out } = await run(["set", "d_phone", "--tag", "a", "--remove", "user"]);
  expect({ asked, bodies, out }).toEqual({
    asked: ["PATCH /v1/devices/d_phone"],
    bodies: [{ user: null, tags: ["a"] }],
    out: ["Changed d_phone"],
  });
  expect((await run(["set", "d_phone", "--remove", "tag", "--remove", "app-version"])).bodies).toEqual([
    { tags: null, appVersion: null },
  ]);
});

test.each([
  [["off"], { push: false }],
  [["on", "--quiet", "22:00-07:00"], { push: true, quietHours: { from: "22:00", to: "07:00" } }],
  [["on", "--quiet", "off"], { push: true, quietHours: null }],
])("switch %j", async (typed, body) => {
  const { code, asked, bodies } = await run(["switch", "d_phone", "news/local", ...typed], () =>
    answerWith({ channel: "news/local", push: true }),
  );
  expect({ code, asked }).toEqual({
    code: 0,
    asked: ["PUT /v1/devices/d_phone/subscriptions/news/local"],
  });
  expect(bodies).toEqual([body]);
});

test("switch: what holds now is told", async () => {
  const { asked, out } = await run(["switch", "d_phone", "$all", "on"], () => answerWith(switches[1]));
  expect(asked).toEqual(["PUT /v1/devices/d_phone/subscriptions/$all"]);
  expect(out).toEqual(["d_phone: $all is on, quiet 22:00-07:00"]);
});

test("push: to one alone", async () => {
  const answer = { id: "0mrn7w2c", epoch: "k3v9Zq", offset: 1, time: TIME };
  const typed = ["push", "d_phone", "Your taxi is here", "--urgency", "high", "--ttl", "10m"];
  const { asked, bodies, out } = await run(typed, () => answerWith(answer, 201));
  expect(asked).toEqual(["POST /v1/devices/d_phone/messages"]);
  expect(bodies).toEqual([{ data: "Your taxi is here", urgency: "high", ttl: 600 }]);
  expect(out).toEqual(["Published to device:d_phone as 0mrn7w2c"]);
});

const counts = {
  id: "0mrn7w2c",
  channel: "news",
  time: TIME,
  recipients: 4,
  sent: 3,
  received: 2,
  read: 1,
  expired: 0,
};
const receipts = [
  { device: "d_phone", sentAt: TIME, receivedAt: TIME, readAt: TIME },
  { device: "d_tablet", sentAt: TIME },
];
const told: Answer = ({ url }) => answerWith(url.includes("/receipts") ? { receipts, next: null } : counts);

test("receipts: how many, and with --who which", async () => {
  const { asked, out } = await run(["receipts", "0mrn7w2c"], told);
  expect(asked).toEqual(["GET /v1/messages/0mrn7w2c"]);
  const lines = [
    "id          0mrn7w2c",
    "channel     news",
    `published   ${momentOf(TIME)}`,
    "recipients  4",
    "sent        3",
    "received    2",
    "read        1",
    "expired     0",
  ];
  expect(out).toEqual(lines);
  const who = await run(["receipts", "0mrn7w2c", "--who"], told);
  expect(who.asked[1]).toBe("GET /v1/messages/0mrn7w2c/receipts?limit=1000");
  const seen = momentOf(TIME);
  expect(who.out).toEqual([
    ...lines,
    "",
    "DEVICE    SENT                 RECEIVED             READ",
    `d_phone   ${seen}  ${seen}  ${seen}`,
    `d_tablet  ${seen}  -                    -`,
  ]);
  const json = await run(["receipts", "0mrn7w2c", "--who", "--json"], told);
  expect(JSON.parse(json.out.join())).toEqual({ ...counts, receipts, next: null });
});

test("rotate: the new token alone; revoke, remove: that it is done", async () => {
  const rotated = await run(["rotate", "d_phone"], () => answerWith(issued));
  expect(rotated).toMatchObject({ out: ["dk_phone_secret"], asked: ["POST /v1/devices/d_phone/token"] });
  const none: Answer = () => new Response(null, { status: 204 });
  const revoked = await run(["revoke", "d_phone"], none);
  expect(revoked.asked).toEqual(["DELETE /v1/devices/d_phone/token"]);
  expect(revoked.out).toEqual(["Revoked the token of d_phone"]);
  const removed = await run(["remove", "d_phone", "--json"], none);
  expect(removed.asked).toEqual(["DELETE /v1/devices/d_phone"]);
  expect(JSON.parse(removed.out.join())).toEqual({ id: "d_phone", removed: true });
});

test("export: what comes goes to standard output as it is, a line", async () => {
  const text = JSON.stringify({ device: phone, messages: ["茶"] });
  const { code, asked, written, out } = await run(["export", "d_phone"], () => new Response(text));
  expect({ code, out, asked }).toEqual({ code: 0, out: [], asked: ["GET /v1/devices/d_phone/export"] });
  expect(new TextDecoder().decode(written())).toBe(`${text}\n`);
});

test("an id cannot leave its place in the path", async () => {
  expect((await run(["remove", "../tokens/x"], () => new Response(null, { status: 204 }))).asked).toEqual([
    "DELETE /v1/devices/..%2Ftokens%2Fx",
  ]);
});

test("a refusal is one line, and exit code 1", async () => {
  const refused: Answer = () => problem(404, "not_found", "there is no device d_x");
  for (const typed of [
    ["show", "d_x"],
    ["rotate", "d_x"],
    ["export", "d_x"],
    ["receipts", "d_x"],
  ]) {
    const { code, out, err } = await run(typed, refused);
    expect({ code, out }).toEqual({ code: 1, out: [] });
    expect(err).toEqual(["carillon: 404 not_found: there is no device d_x"]);
  }
});

test.each([
  [["list", "--count", "0"], '--count "0": expected a whole number from 1'],
  [["receipts", "m", "--count", "many"], '--count "many": expected'],
  [["register", "--user", "a b"], '--user "a b": a user is named by'],
  [["register", "--subscribe", "a b"], '--subscribe "a b": expected a channel or a pattern'],
  [["register", "--time-zone", "Asia/Shangai"], '--time-zone "Asia/Shangai": no such time zone'],
  [["set", "d_phone"], "say what is to change"],
  [["set", "d_phone", "--remove", "id"], '--remove "id": expected user, tag'],
  [["set", "d_phone", "--remove", "constructor"], '--remove "constructor": expected'],
  [["switch", "d_phone", "news"], "on|off is missing"],
  [["switch", "d_phone", "news", "maybe"], '"maybe": expected on or off'],
  [["switch", "d_phone", "$other", "on"], '"$other": channel names'],
  [["switch", "d_phone", "news", "on", "--quiet", "22-7"], '--quiet "22-7": expected two times'],
  [["switch", "d_phone", "news", "on", "--quiet", "07:00-07:00"], "expected two times"],
  [["switch", "d_phone", "news", "on", "--quiet", "22:00-24:00"], "expected two times"],
  [["push", "d_phone", "Tea", "--data", "1"], "TEXT and --data do not go together"],
  [["push", "d_phone", "Tea", "--urgency", "hihg"], "--urgency"],
  [["push", "d_phone", "Tea", "--to", "everyone"], "unknown flag --to"],
])("%j is wrong usage, and nothing is sent", async (typed, said) => {
  const { code, err, requests } = await run(typed);
  expect({ code, requests }).toEqual({ code: 2, requests: [] });
  expect(err.join("\n")).toContain(said);
});
