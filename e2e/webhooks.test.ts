/** Webhooks of a real server to a real receiver, which checks each signature with Node's own HMAC. */
import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { Carillon, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

const KEY = "the-admin-key-of-the-tests-of-webhooks";
const SECRET = "the-secret-of-the-tests-of-webhooks";
const ALL = "connected,disconnected,publication,device_offline";
/** The example secret of the specification. */
const BASE64_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

interface Hook {
  readonly id: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly payload: { readonly type: string; readonly [field: string]: unknown };
}

/** What a receiver does with the n-th webhook. */
type Behaviour = (hook: Hook, count: number) => Response | Promise<Response>;

class Receiver implements AsyncDisposable {
  readonly taken: Hook[] = [];
  /** Of all that came, taken or not. */
  readonly seen: Hook[] = [];
  readonly forged: string[] = [];
  readonly #server: Bun.Server<undefined>;
  #waiters: (() => void)[] = [];

  constructor(key: string | Uint8Array, behaviour: Behaviour = () => new Response(), port = 0) {
    this.#server = Bun.serve({
      port,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const hook = await this.#read(request, key);
        this.seen.push(hook);
        this.#wake();
        const response = await behaviour(hook, this.seen.length);
        if (response.ok) this.taken.push(hook);
        this.#wake();
        return response;
      },
    });
  }

  get host(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  async #read(request: Request, key: string | Uint8Array): Promise<Hook> {
    const body = await request.text();
    const { headers, method } = request;
    const id = headers.get("webhook-id") ?? "";
    const timestamp = headers.get("webhook-timestamp") ?? "";
    const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    const isFresh = Math.abs(Date.now() / 1_000 - Number(timestamp)) < 5;
    const isJson = headers.get("content-type") === "application/json";
    const isGood = headers.get("webhook-signature") === `v1,${expected}` && isFresh && isJson;
    if (!isGood || method !== "POST") this.forged.push(body);
    const { pathname: path, search } = new URL(request.url);
    const authorization = headers.get("authorization");
    return { id, path: path + search, authorization, payload: JSON.parse(body) };
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}

function start(url: string, { secret = SECRET, events = "publication" } = {}): Promise<Server> {
  const hook = ["--webhook-url", url, "--webhook-secret", secret, "--webhook-events", events];
  return Server.start(["--push-every", "off", "--admin-key", KEY, ...hook]);
}

async function publish(server: Server, data: unknown) {
  const response = await fetch(`${server.httpUrl}/v1/channels/push/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ data }),
  });
  expect(response.status).toBe(201);
  return (await response.json()) as { id: string; offset: number; time: string };
}

test("each event arrives, signed, though the first attempt of each fails", async () => {
  const failed = new Set<string>();
  await using receiver = new Receiver(SECRET, ({ id }) => {
    const isFirst = !failed.has(id);
    failed.add(id);
    return new Response("", { status: isFirst ? 503 : 204 });
  });
  await using server = await start(`http://ann:p%40ss@${receiver.host}/hooks?from=carillon`, { events: ALL });
  {
    await using client = await Client.connect("ws", `${server.wsUrl}?device=phone-1`);
    const { id, offset, time } = await publish(server, { title: "Hello", list: [1, "ü", null] });
    await client.next(1);
    client.close();
    await client.closed();
    await receiver.until(() => receiver.taken.length === 4);

    const told = Object.fromEntries(receiver.taken.map(({ payload }) => [payload.type, payload]));
    const anytime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const who = {
      session: expect.any(String),
      protocol: "text",
      address: "127.0.0.1",
      device: "phone-1",
    };
    expect(told).toEqual({
      connected: { type: "connected", time: anytime, ...who },
      publication: {
        ...{ type: "publication", channel: "push", id, offset, prev: 0, time },
        data: { title: "Hello", list: [1, "ü", null] },
      },
      disconnected: { type: "disconnected", time: anytime, ...who, code: expect.any(Number) },
      device_offline: { type: "device_offline", time: anytime, device: "phone-1" },
    });
  }
  expect(receiver.seen).toHaveLength(8);
  expect(new Set(receiver.seen.map(({ id }) => id)).size).toBe(4);
  expect(receiver.forged).toEqual([]);
  for (const { path, authorization } of receiver.seen) {
    expect(path).toBe("/hooks?from=carillon");
    expect(authorization).toBe(`Basic ${Buffer.from("ann:p@ss").toString("base64")}`);
  }
});

test("a receiver that was away is told when it is back", async () => {
  const before = new Receiver(SECRET);
  const { host } = before;
  await before[Symbol.asyncDispose]();
  await using server = await start(`http://${host}/`);
  await publish(server, "while it is away");
  await server.out.line(/Webhooks to http:\/\/127\.0\.0\.1:\d+: ECONNREFUSED/);
  await using back = new Receiver(SECRET, undefined, Number(host.split(":")[1]));
  await back.until(() => back.taken.length === 1);
  expect(back.taken[0]?.payload["data"]).toBe("while it is away");
  expect(back.forged).toEqual([]);
});

test("a secret in the specification's form", async () => {
  await using receiver = new Receiver(Buffer.from(BASE64_SECRET.slice("whsec_".length), "base64"));
  await using server = await start(`http://${receiver.host}/`, { secret: BASE64_SECRET });
  await publish(server, "x");
  await receiver.until(() => receiver.taken.length === 1);
  expect(receiver.forged).toEqual([]);
});

test("only the events that were asked for", async () => {
  await using receiver = new Receiver(SECRET);
  await using server = await start(`http://${receiver.host}/`, { events: "device_offline" });
  await using client = await Client.connect("ws", `${server.wsUrl}?device=phone-1`);
  await publish(server, "x");
  client.close();
  await receiver.until(() => receiver.taken.length === 1);
  expect(receiver.seen.map(({ payload }) => payload.type)).toEqual(["device_offline"]);
});

test("redirects are not followed", async () => {
  await using receiver = new Receiver(SECRET, ({ path }) =>
    path === "/"
      ? new Response("", { status: 307, headers: { location: "/elsewhere" } })
      : new Response("", { status: 200 }),
  );
  await using server = await start(`http://${receiver.host}/`);
  await publish(server, "x");
  await server.out.line(/Webhooks to http:\/\/127\.0\.0\.1:\d+: answered 307/);
  expect(receiver.seen.map(({ path }) => path)).toEqual(["/"]);
});

test("a receiver that never answers holds up neither a push nor the stop", async () => {
  await using receiver = new Receiver(SECRET, () => new Promise(() => {}));
  await using server = await start(`http://${receiver.host}/`);
  await using client = await Client.connect("ws", server.wsUrl);
  const received = client.next(50);
  for (let sent = 0; sent < 50; sent++) await publish(server, `${sent}`);
  expect(await received).toHaveLength(50);
  expect(receiver.seen).toHaveLength(4);
  server.kill();
  expect(await server.exited).toBe(0);
  await server.out.ended;
  expect(server.out.all.at(-1)).toMatch(/WARN Webhooks: 50 events dropped, as the server stops$/);
});

test("what waits is sent before the server stops", async () => {
  await using receiver = new Receiver(SECRET);
  await using server = await start(`http://${receiver.host}/`, { events: "disconnected" });
  await using client = await Client.connect("ws", server.wsUrl);
  server.kill();
  expect((await client.closed()).code).toBe(1012);
  expect(await server.exited).toBe(0);
  expect(receiver.taken.map(({ payload }) => payload["code"])).toEqual([1012]);
});

test("an address without a secret: one line, exit code 2", async () => {
  await using carillon = new Carillon(["serve", "--memory", "--webhook-url", "https://hooks.example/"]);
  expect(await carillon.exited).toBe(2);
  await carillon.err.ended;
  expect(carillon.err.all.filter((line) => line !== "")).toEqual([
    "carillon: --webhook-url needs --webhook-secret, which signs what is posted",
  ]);
});
