/** Devices from the command line, as a process against a real server: what is said of them, and what reaches them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Caller } from "./support/api.ts";
import { Carillon, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

const KEY = "a-key-for-these-tests";

let server: Server;
let admin: Caller;
beforeAll(async () => {
  server = await Server.start(["--push-every", "off", "--admin-key", KEY]);
  admin = new Caller(server, KEY);
});
afterAll(() => server[Symbol.asyncDispose]());

/** Registers one; standard output is the token alone. */
async function register(...flags: readonly string[]): Promise<{ id: string; token: string }> {
  const { code, out, err } = await admin.run("devices", "register", ...flags);
  expect(code).toBe(0);
  const [, id = ""] = /^Device (d_\w+) is registered\./.exec(err.join()) ?? [];
  expect(out).toEqual([expect.stringMatching(/^dk_[\w-]+$/)]);
  return { id, token: out[0] ?? "" };
}

const connect = (token: string) => Client.connect("ws", `${server.wsUrl}?channel=none&token=${token}`);

test("what is pushed to a device, its user, its tags and everyone reaches it, also from a schedule", async () => {
  const { id, token } = await register("--user", "ann", "--tag", "beta", "--platform", "kiosk");
  await using client = await connect(token);
  const coming = client.next(5);
  for (const typed of [
    ["devices", "push", id, "to one"],
    ["push", "--to", "user:ann", "to a user"],
    ["push", "--to", "tag:beta & !tag:old", "to tags"],
    ["push", "--to", "tag:old", "to nobody"],
    ["push", "--to", "everyone", "to everyone"],
  ]) {
    expect(await admin.run(...typed)).toMatchObject({ code: 0, err: [] });
  }
  const made = await admin.run("schedules", "add", "--to", "user:ann", "run {{run}}", "--delay", "1s");
  expect(made.out.join()).toMatch(/^Made \S+: user:ann, once, next in \d s$/);
  const arrived = ["run 1", "to a user", "to everyone", "to one", "to tags"];
  expect([...(await coming)].sort()).toEqual(arrived);
});

test("what waits for one that is away is counted, and whose it is told", async () => {
  const { id, token } = await register("--user", "bob");
  const pushed = await admin.run("push", "--to", "user:bob", "It waits", "--json");
  const { id: message } = JSON.parse(pushed.out.join());
  const before = await admin.run("devices", "receipts", message);
  expect(before.out).toEqual(expect.arrayContaining(["recipients  1", "sent        0"]));
  await using client = await connect(token);
  await client.received("It waits");
  // Receipts are written once a second.
  let who = { out: [] as readonly string[] };
  for (let tries = 0; tries < 50 && !who.out.join().includes(id); tries++) {
    who = await admin.run("devices", "receipts", message, "--who");
  }
  expect(who.out).toContain("sent        1");
  expect(who.out.at(-1)).toMatch(new RegExp(`^${id} +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d +- +-$`));
});

test("with a device's token, listen prints its inbox, and where it was it goes on; another user's follows", async () => {
  const { id, token } = await register("--user", "cleo");
  const listen = () => new Carillon(["listen", "--json", "--url", server.httpUrl, "--token", token]);
  const texts = ({ out }: Carillon) => out.all.map((line) => JSON.parse(line).text);
  {
    await using first = listen();
    await first.err.line(/Connected/);
    await admin.run("push", "--to", "user:cleo", "to a user", "--withdraw-on", "ack");
    await admin.run("devices", "push", id, "to one");
    await first.out.count(/./, 2);
    expect(texts(first)).toEqual(["to a user", "to one"]);
    await admin.run("devices", "set", id, "--user", "dora");
    await first.err.line(/4003/);
    await first.err.count(/"Connected"/, 2);
    await admin.run("push", "--to", "user:dora", "to another");
    await first.out.line(/to another/);
    first.kill();
    expect(await first.exited).toBe(0);
  }
  await admin.run("push", "--to", "everyone", "while away");
  await using second = listen();
  await second.out.line(/while away/);
  expect(texts(second)).toEqual(["while away"]);
});

test("switched off it gets nothing; shown, changed, listed", async () => {
  const { id, token } = await register("--tag", "quiet", "--time-zone", "Asia/Kathmandu");
  await using client = await connect(token);
  const off = await admin.run("devices", "switch", id, "$all", "off");
  expect(off.out).toEqual([`${id}: $all is off`]);
  await admin.run("push", "--to", "tag:quiet", "not wanted");
  await admin.run("devices", "push", id, "wanted");
  await client.received("wanted");
  expect(client.pushes).toEqual(["wanted"]);
  await admin.run("devices", "switch", id, "a/b", "on", "--quiet", "22:00-07:00");
  await admin.run("devices", "set", id, "--tag", "loud", "--remove", "time-zone");
  const { out } = await admin.run("devices", "show", id);
  expect(out).toEqual(expect.arrayContaining(["tags        loud", "last seen   now"]));
  expect(out.map((line) => line.replace(/ +/g, " "))).toEqual(
    expect.arrayContaining(["$all off -", "a/b on 22:00-07:00"]),
  );
  expect(out.join()).not.toContain("Kathmandu");
  expect((await admin.run("devices", "list", "--tag", "quiet")).out).toEqual(["There are none"]);
  expect((await admin.run("devices", "list", "--tag", "loud")).out[1]).toMatch(
    new RegExp(`^${id} .* now +loud$`),
  );
});

test("a rotated or revoked token is cut off at once; a removed device is gone", async () => {
  const { id, token } = await register();
  await using first = await connect(token);
  const { out } = await admin.run("devices", "rotate", id);
  expect((await first.closed()).code).toBe(4500);
  await using second = await connect(out[0] ?? "");
  expect((await admin.run("devices", "revoke", id)).code).toBe(0);
  expect((await second.closed()).code).toBe(4500);
  const kept = JSON.parse((await admin.run("devices", "export", id)).out.join("\n"));
  expect(kept.device).toMatchObject({ id, registered: true });
  expect((await admin.run("devices", "remove", id)).out).toEqual([`Removed ${id}`]);
  expect(await admin.run("devices", "show", id)).toMatchObject({
    code: 1,
    err: [`carillon: 404 not_found: there is no device ${id}`],
  });
});
