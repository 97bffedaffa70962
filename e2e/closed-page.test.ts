/** What the app page's service worker shows while the page is closed, in a real Chromium. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, CDPSession, Page } from "playwright-core";
import { Caller } from "./support/api.ts";
import { launchBrowser } from "./support/browser.ts";
import { Server } from "./support/carillon.ts";
import { inState, visit } from "./support/visit.ts";

const KEY = "a-key-for-these-tests";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** Chromium's own push service is on the Internet: this stands in for what it would answer. */
function standInForPushService(): void {
  const endpoint = "https://push.example/1";
  const keys = { p256dh: `B${"a".repeat(86)}`, auth: "a".repeat(22) };
  const subscription = {
    endpoint,
    toJSON: () => ({ endpoint, expirationTime: null, keys }),
    unsubscribe: async () => {
      localStorage.removeItem("stand-in");
      return true;
    },
  } as unknown as PushSubscription;
  PushManager.prototype.getSubscription = async () =>
    localStorage.getItem("stand-in") === null ? null : subscription;
  PushManager.prototype.subscribe = async (options) => {
    // A P-256 point, as a server's key is.
    if (!/^B[\w-]{86}$/.test(String(options?.applicationServerKey))) throw new TypeError("no key");
    localStorage.setItem("stand-in", "subscribed");
    return subscription;
  };
}

/** Delivers pushes to the page's service worker. */
async function pusher(session: CDPSession, origin: string) {
  const registered = new Promise<string>((resolve) => {
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations: [registration] }) => {
      if (registration !== undefined) resolve(registration.registrationId);
    });
  });
  await session.send("ServiceWorker.enable");
  const registrationId = await registered;
  return async (pushed: object | string) => {
    const data = typeof pushed === "string" ? pushed : JSON.stringify(pushed);
    await session.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data });
  };
}

/** The title, text and tag of what the worker shows, once it shows so many. */
async function notifications(page: Page, count: number) {
  const shown = await page.waitForFunction(async (count) => {
    const { active } = (await navigator.serviceWorker.getRegistration()) ?? {};
    const all = (await (await navigator.serviceWorker.getRegistration())?.getNotifications()) ?? [];
    if (active === null || all.length !== count) return undefined;
    return all.map(({ title, body, tag }) => ({ title, body, tag }));
  }, count);
  return (await shown.jsonValue()) ?? [];
}

test("what is pushed while the page is closed is shown, and taken away once it is read in the page", async () => {
  await using server = await Server.start(["--push-every", "off", "--admin-key", KEY]);
  const api = new Caller(server, KEY);
  await using visited = await visit(browser, "about:blank", { permissions: ["notifications"] });
  const { page, errors } = visited;
  await page.addInitScript(standInForPushService);
  await page.goto(server.httpUrl);
  await inState(page, "open");
  expect(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0);

  await Promise.all([page.waitForEvent("load"), page.getByTestId("make-device").click()]);
  await page.getByTestId("closed-hint").getByText("Nothing is shown").waitFor();
  await page.getByTestId("closed-switch").click();
  await page.getByTestId("closed-hint").getByText("also while this page is closed").waitFor();
  const id = await page.getByTestId("device-id").textContent();
  const { body } = await api.call("GET", `/v1/devices/${id}`);
  expect(body.webPush).toEqual({ endpoint: "https://push.example/1" });

  const push = await pusher(await page.context().newCDPSession(page), server.httpUrl);
  await page.goto("about:blank");
  const time = "2026-11-24T09:30:00.000Z";
  const inbox = `$device/${id}`;
  await push({ channel: inbox, id: "p1", time, data: "Tea time" });
  const { body: sent } = await api.call("POST", "/v1/messages", { to: `device:${id}`, data: "Cake" });
  await push({ channel: inbox, id: sent.id, time, data: "Cake" });
  await push({ channel: "news", id: "p2", time, data: { score: 1 }, collapseKey: "score" });
  await push({ channel: "news", id: "p3", time, data: { score: 2 }, collapseKey: "score" });
  await push({ channel: inbox, id: "p4", time, truncated: true });
  await push("not from Carillon");
  await page.goto(server.httpUrl);
  // What stands in the page is read there.
  await page.locator("[data-message='Cake']").waitFor();
  expect((await notifications(page, 4)).toSorted((one, other) => one.body.localeCompare(other.body))).toEqual(
    [
      { title: "news", body: '{"score":2}', tag: "news score" },
      { title: "Carillon", body: "A long message", tag: "p4" },
      { title: "Carillon", body: "not from Carillon", tag: "" },
      { title: "Carillon", body: "Tea time", tag: "p1" },
    ],
  );

  await page.getByTestId("closed-switch").click();
  await page.getByTestId("closed-hint").getByText("Nothing is shown").waitFor();
  expect((await api.call("GET", `/v1/devices/${id}`)).body.webPush).toBeUndefined();
  expect(errors).toEqual([]);
});

test("where the person has said no, the page says so and asks no more", async () => {
  await using server = await Server.start(["--push-every", "off"]);
  await using visited = await visit(browser, server.httpUrl);
  const { page } = visited;
  await page.addInitScript(() => {
    Object.defineProperty(Notification, "permission", { get: () => "denied" });
  });
  await inState(page, "open");
  await Promise.all([page.waitForEvent("load"), page.getByTestId("make-device").click()]);
  await page.getByTestId("closed-hint").getByText("does not allow notifications").waitFor();
  expect(await page.getByTestId("closed-switch").isDisabled()).toBe(true);
});
