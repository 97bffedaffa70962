/** A day in the life of three devices, told plainly: one is killed, one has switched push off, one stays. */
import { expect, test } from "bun:test";
import { ackAll, funnel, register, send } from "./testing/device-clients.ts";
import { settle, setUpHub } from "./testing/hub-set-up.ts";
import { received } from "./testing/v1-client.ts";

const MINUTE_MS = 60_000;
const EVERY_MINUTES = 5;
const DAY_MINUTES = 24 * 60;

test("a day with a push every five minutes: each device ends with what is for it, and receipts add up", async () => {
  const hub = await setUpHub();
  const [online, off, killed] = [
    await register(hub, { user: "ann", tags: ["beta"] }),
    await register(hub, { user: "bob", tags: ["beta"] }),
    await register(hub, { user: "ann" }),
  ];
  const apps = {
    online: await online.v1(["push"]),
    off: await off.v1(["push"]),
    killed: await killed.v1(["push"]),
  };
  await hub.devices.setSwitch(off.id, "push", { push: false });

  const ids = new Map<string, string>();
  const pushed: string[] = [];
  const present = () => [
    apps.online,
    apps.off,
    ...(apps.killed.outbound.ended === undefined ? [apps.killed] : []),
  ];
  for (let minute = EVERY_MINUTES; minute <= DAY_MINUTES; minute += EVERY_MINUTES) {
    for (let step = 0; step < 2 * EVERY_MINUTES; step++) {
      hub.clock.advance(MINUTE_MS / 2);
      for (const { session } of present()) session.seen();
    }
    const text = `push ${minute}`;
    const [result] = await hub.publish(text);
    ids.set(text, result?.id ?? "");
    pushed.push(text);
    if (minute === 600) ids.set("10:00, all", await send(hub, "everyone", "10:00, all"));
    if (minute === 660) ids.set("11:00, beta", await send(hub, "tag:beta", "11:00, beta"));
    if (minute === 720) ids.set("12:00, ann", await send(hub, "user:ann", "12:00, ann"));
    if (minute === 780) ids.set("13:00, over", await send(hub, "everyone", "13:00, over", { ttl: 3_600 }));
    if (minute === 840) ids.set("14:00, killed", await send(hub, `device:${killed.id}`, "14:00, killed"));
    for (const client of present()) {
      for (const channel of ["push", "$all", "$user/ann", "$user/bob"]) await ackAll(hub, client, channel);
    }
    // At eight in the morning; it comes back in the evening.
    if (minute === 480) apps.killed.outbound.terminate();
    if (minute === 1_200) {
      apps.killed = await killed.v1(["push"]);
      await settle();
      for (const channel of ["push", "$all", "$user/ann", `$device/${killed.id}`]) {
        await ackAll(hub, apps.killed, channel);
      }
    }
  }

  const inbox = (client: typeof apps.online) => received(client).filter((data) => !pushed.includes(data));
  const missed = pushed.filter((text) => Number(text.slice(5)) > 480);
  expect(received(apps.online).filter((data) => pushed.includes(data))).toEqual(pushed);
  expect(received(apps.off).filter((data) => pushed.includes(data))).toEqual([]);
  expect(received(apps.killed).filter((data) => pushed.includes(data))).toEqual(missed);
  expect(inbox(apps.online)).toEqual(["10:00, all", "11:00, beta", "12:00, ann", "13:00, over"]);
  expect(inbox(apps.off)).toEqual(["10:00, all", "11:00, beta", "13:00, over"]);
  expect(inbox(apps.killed).sort()).toEqual(["10:00, all", "12:00, ann", "14:00, killed"]);

  const all = { recipients: 2, sent: 2, received: 2, read: 0, expired: 0 };
  for (const text of pushed) expect(await funnel(hub, ids.get(text) ?? "")).toEqual(all);
  const of = (text: string) => funnel(hub, ids.get(text) ?? "");
  expect(await of("10:00, all")).toEqual({ ...all, recipients: 3, sent: 3, received: 3 });
  expect(await of("11:00, beta")).toEqual(all);
  expect(await of("12:00, ann")).toEqual(all);
  expect(await of("13:00, over")).toEqual({ ...all, recipients: 3, expired: 1 });
  expect(await of("14:00, killed")).toEqual({ ...all, recipients: 1, sent: 1, received: 1 });
});
