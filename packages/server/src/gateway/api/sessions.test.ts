import { expect, test } from "bun:test";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";

test("channels are listed by name, paged, with what is kept and who listens", async () => {
  const { call, connect, publish } = await setUpApi();
  for (const name of ["b", "a", "c"]) await publish("x", name);
  connect({ channels: ["b"] });
  const first = (await call("GET", "/v1/channels?limit=2")).body;
  expect(first.channels.map(({ channel, subscribers }: never) => `${channel} ${subscribers}`)).toEqual([
    "a 0",
    "b 1",
  ]);
  const second = (await call("GET", `/v1/channels?limit=2&after=${first.next}`)).body;
  expect(second).toMatchObject({ channels: [{ channel: "c", offset: 1, count: 1, bytes: 3 }], next: null });
});

test("a channel that somebody listens to is there before it was published to", async () => {
  const { call, connect } = await setUpApi();
  expect((await call("GET", "/v1/channels/quiet")).status).toBe(404);
  connect({ channels: ["quiet"] });
  const { body } = await call("GET", "/v1/channels/quiet");
  expect(body).toMatchObject({ offset: 0, count: 0, subscribers: 1, epoch: expect.stringMatching(/./) });
});

test("sessions are listed in the order they came, paged; one can be disconnected for good", async () => {
  const { call, connect, connectV1 } = await setUpApi();
  const clients = Array.from({ length: 40 }, (_, n) =>
    connect({ channels: [`c${n}`], device: `phone-${n}` }),
  );
  connectV1();
  const seen = [];
  for (let after: string | null = ""; after !== null; ) {
    const { body } = await call("GET", `/v1/sessions?limit=15&after=${after}`);
    seen.push(...body.sessions);
    after = body.next;
  }
  expect(seen.map(({ device }) => device)).toEqual([...clients.map((_, n) => `phone-${n}`), undefined]);
  expect(seen[0]).toEqual({
    id: clients[0]?.session.info.id,
    protocol: "text",
    address: "::1",
    who: "admin",
    device: "phone-0",
    channels: ["c0"],
    connectedAt: "2026-11-24T09:30:00.000Z",
  });
  expect(seen.at(-1)).toMatchObject({ protocol: "v1", who: null, channels: [] });
  expect((await call("DELETE", `/v1/sessions/${seen[0].id}`)).status).toBe(204);
  expect(clients[0]?.outbound.ended).toBe(4501);
  expect((await call("DELETE", `/v1/sessions/${seen[0].id}`)).status).toBe(404);
});

test("a server that keeps nothing on disk can be neither backed up nor restored", async () => {
  const { request } = await setUpApi();
  for (const [method, path] of [
    ["GET", "/v1/backup"],
    ["POST", "/v1/restore"],
  ] as const) {
    const response = await request(method, path, { token: ADMIN_KEY });
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ code: "nothing_on_disk" });
  }
});
