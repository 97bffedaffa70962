/** A real nginx in front, set up by the example in `deploy/nginx.conf`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Carillon } from "@carillon/client";
import { Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { Lines } from "./support/lines.ts";
import { Nginx } from "./support/nginx.ts";
import { frameOf, handshake, OPCODE, RawSocket } from "./support/raw-socket.ts";
import { SteadyPublisher } from "./support/steady-publisher.ts";

const KEY = "a-key-for-these-tests";

let server: Server;
let nginx: Nginx;
beforeAll(async () => {
  server = await Server.start(["--push-every", "1s", "--idle-timeout", "2s", "--admin-key", KEY]);
  nginx = await Nginx.to(server.port);
});
afterAll(async () => {
  await nginx[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** The numbers that a client of the SDK has received through `url`, in the order of their arrival. */
function receiver(url: string, channel: string) {
  const client = new Carillon(url, { token: KEY });
  const numbers: number[] = [];
  const states: string[] = [];
  client.on("state", ({ status }) => states.push(status));
  let changed = () => {};
  const live = Promise.withResolvers<void>();
  client.channel(channel).on("state", (state) => state === "live" && live.resolve());
  client.channel(channel).on("publication", ({ data }) => {
    numbers.push(Number(data));
    changed();
  });
  return {
    numbers,
    states,
    live: live.promise,
    async upTo(last: number) {
      while (numbers.at(-1) !== last) {
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    },
    [Symbol.dispose]: () => client.close(),
  };
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test.each(["ws", "python"] as const)("%s: pushes and answers come through, one by one", async (kind) => {
  await using client = await Client.connect(kind, nginx.wsUrl);
  client.send("Heartbeat");
  await client.received("Server received: Heartbeat");
  await client.next(2);
  client.send("unsubscribe");
  await server.out.line(/unsubscribe: 关闭推送/);
});

test("the largest frame comes through in both directions", async () => {
  await using client = await Client.connect("python", nginx.wsUrl);
  const text = "é".repeat(32_000);
  client.send(text);
  await client.received(`Server received: ${text}`);
});

test("close codes come through, the client's and the server's", async () => {
  await using bad = await RawSocket.connect(nginx.port);
  bad.write(handshake());
  await bad.head();
  bad.write(frameOf(OPCODE.text, "x".repeat(65_537)));
  expect(await bad.closeCode()).toBe(1009);

  await using mute = await RawSocket.webSocket(nginx.port);
  expect(await mute.closeCode()).toBe(4000);
  await bad.ended();

  await using going = await Server.start([]);
  await using front = await Nginx.to(going.port);
  await using client = await Client.connect("ws", front.wsUrl);
  going.kill();
  expect(await client.closed()).toMatchObject({ code: 1012, reason: "server restarts" });
});

test("a page may connect to where it came from, and to nowhere else", async () => {
  const statusFor = async (origin: string) => {
    await using socket = await RawSocket.connect(nginx.port);
    socket.write(handshake({ Host: `127.0.0.1:${nginx.port}`, Origin: origin }));
    return (await socket.head()).split(" ")[1];
  };
  expect(await statusFor(nginx.httpUrl)).toBe("101");
  expect(await statusFor("http://127.0.0.1:1")).toBe("403");
});

test("the page is served; the metrics are not for the world", async () => {
  const [page, direct] = await Promise.all([fetch(nginx.httpUrl), fetch(server.httpUrl)]);
  expect(await page.text()).toBe(await direct.text());
  expect((await fetch(`${nginx.httpUrl}/metrics`)).status).toBe(404);
});

test("no token gets into nginx's log", async () => {
  let log = "";
  while (!log.includes('"GET /nowhere" 404')) {
    await fetch(`${nginx.httpUrl}/nowhere?token=${KEY}`);
    log = await nginx.accessLog();
  }
  expect(log).not.toContain(KEY);
});

test("nor into its log of errors while Carillon is down", async () => {
  const gone = await Server.start([]);
  await gone[Symbol.asyncDispose]();
  await using front = await Nginx.to(gone.port);
  for (const path of ["/", "/ws", "/v1/channels/push/stream", "/nowhere"]) {
    expect((await fetch(`${front.httpUrl}${path}?token=${KEY}`)).status).toBe(502);
  }
  // What a worker says at its end comes behind all that it has said before.
  await front.reload();
  expect(front.errorLog).not.toContain(KEY);
  expect(await front.accessLog()).toContain('"GET /ws" 502');
});

/** curl on a stream of events. */
function stream(channel: string, ...headers: readonly string[]) {
  const url = `${nginx.httpUrl}/v1/channels/${channel}/stream`;
  const curl = Bun.spawn(["curl", "-sN", url, ...headers.flatMap((header) => ["-H", header])], {
    stdout: "pipe",
    stderr: "ignore",
  });
  const lines = new Lines(curl.stdout);
  const values = (field: string) =>
    lines.all.filter((line) => line.startsWith(`${field}: `)).map((line) => line.slice(field.length + 2));
  return {
    lines,
    texts: () => values("data"),
    lastId: () => values("id").at(-1),
    async [Symbol.asyncDispose]() {
      curl.kill();
      await curl.exited;
    },
  };
}

async function publish(channel: string, text: string): Promise<void> {
  const { status } = await fetch(`${nginx.httpUrl}/v1/channels/${channel}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}` },
    body: text,
  });
  expect(status).toBe(201);
}

test("events of a stream come one by one, not when nginx has enough of them", async () => {
  await using events = stream("push");
  await events.lines.count(/^data: Server push message/, 2);
});

test("a stream goes on after its last event", async () => {
  const token = `Authorization: Bearer ${KEY}`;
  let lastId: string | undefined;
  {
    await using events = stream("news", token);
    await events.lines.line(/^id: /);
    await publish("news", "one");
    await events.lines.line(/^data: one$/);
    lastId = events.lastId();
  }
  for (const text of ["two", "three", "four"]) await publish("news", text);
  await using events = stream("news", token, `Last-Event-ID: ${lastId}`);
  await events.lines.line(/^data: four$/);
  await publish("news", "five");
  await events.lines.line(/^data: five$/);
  expect(events.texts()).toEqual(["two", "three", "four", "five"]);
});

test("a body that nginx keeps in a file comes through whole; one too large gets Carillon's own answer", async () => {
  const text = "x".repeat(60_000);
  await publish("large", text);
  const history = await fetch(`${nginx.httpUrl}/v1/channels/large/messages`, {
    headers: { authorization: `Bearer ${KEY}` },
  });
  expect((await history.json()).messages).toMatchObject([{ data: text }]);
  const refused = await fetch(`${nginx.httpUrl}/v1/channels/large/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}` },
    body: "x".repeat(62_000),
  });
  expect(refused.status).toBe(413);
  expect(await refused.json()).toMatchObject({ code: "payload_too_large" });
});

test("a reload of nginx breaks no connection; a restart loses nothing", async () => {
  await using publisher = new SteadyPublisher(server.httpUrl, KEY, "numbers");
  using received = receiver(nginx.httpUrl, "numbers");
  await received.live;
  const states = () => received.states.filter((state) => state === "open").length;
  await publisher.more(50);
  await nginx.reload();
  await publisher.more(50);
  expect(states()).toBe(1);
  await using client = await Client.connect("ws", nginx.wsUrl);
  await client.next(1);

  const { port } = nginx;
  await nginx[Symbol.asyncDispose]();
  await publisher.more(50);
  nginx = await Nginx.to(server.port, port);
  await publisher.more(50);
  const last = await publisher.stop();
  await received.upTo(last);
  expect(states()).toBe(2);
  const [first = 0] = received.numbers;
  expect(received.numbers).toEqual(upTo(last).slice(first - 1));
});
