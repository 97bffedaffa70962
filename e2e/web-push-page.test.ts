/**
 * The whole way of a push to a closed page: published, encrypted for the browser, taken and decrypted by a push service, given
 * to the page's service worker and shown by it, in a real Chromium.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, CDPSession, Page } from "playwright-core";
import { startPushService } from "../packages/server/src/gateway/notifiers/testing/push-service.ts";
import { Caller } from "./support/api.ts";
import { launchBrowser } from "./support/browser.ts";
import { Server } from "./support/carillon.ts";
import { inState, visit } from "./support/visit.ts";

const KEY = "a-key-for-these-tests";

const service = startPushService();
let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  service.stop();
  await browser.close();
});

interface Subscription {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

/** Chromium's own push service is on the Internet: this is what it would answer, were it ours. */
function subscribeElsewhere(subscription: Subscription): void {
  const { endpoint } = subscription;
  const made = { endpoint, toJSON: () => ({ ...subscription, expirationTime: null }) };
  PushManager.prototype.getSubscription = async () =>
    localStorage.getItem("elsewhere") === null ? null : (made as unknown as PushSubscription);
  PushManager.prototype.subscribe = async () => {
    localStorage.setItem("elsewhere", "subscribed");
    return made as unknown as PushSubscription;
  };
}

/** Gives what was decrypted to the page's service worker, as the browser does. */
async function deliver(session: CDPSession, origin: string, data: string): Promise<void> {
  const registered = new Promise<string>((resolve) => {
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations: [registration] }) => {
      if (registration !== undefined) resolve(registration.registrationId);
    });
  });
  await session.send("ServiceWorker.enable");
  await session.send("ServiceWorker.deliverPushMessage", { origin, registrationId: await registered, data });
}

async function shown(page: Page): Promise<readonly { readonly title: string; readonly body: string }[]> {
  const found = await page.waitForFunction(async () => {
    const all = (await (await navigator.serviceWorker.getRegistration())?.getNotifications()) ?? [];
    return all.length === 0 ? undefined : all.map(({ title, body }) => ({ title, body }));
  });
  return (await found.jsonValue()) ?? [];
}

test("what is published reaches a page that is closed", async () => {
  const push = ["--push-every", "off", "--push-services", service.host];
  await using server = await Server.start([...push, "--admin-key", KEY]);
  const api = new Caller(server, KEY);
  const app = service.subscribe();
  await using visited = await visit(browser, "about:blank", { permissions: ["notifications"] });
  const { page } = visited;
  await page.addInitScript(subscribeElsewhere, app.subscription);
  await page.goto(server.httpUrl);
  await inState(page, "open");
  await Promise.all([page.waitForEvent("load"), page.getByTestId("make-device").click()]);
  await page.getByTestId("closed-hint").getByText("Nothing is shown").waitFor();
  await page.getByTestId("closed-switch").click();
  await page.getByTestId("closed-hint").getByText("also while this page is closed").waitFor();
  const id = await page.getByTestId("device-id").textContent();

  const session = await page.context().newCDPSession(page);
  await page.goto("about:blank");
  while ((await api.call("GET", `/v1/devices/${id}`)).body.connected) await settled();
  await api.call("POST", "/v1/messages", { to: `device:${id}`, data: "The kettle boils 🫖" });
  const [{ text } = { text: "" }] = await app.messages(1);
  expect(JSON.parse(text)).toMatchObject({ channel: `$device/${id}`, data: "The kettle boils 🫖" });
  await deliver(session, server.httpUrl, text);
  // Not the page of before, which would take away what it has shown itself.
  await page.goto(`${server.httpUrl}/healthz`);
  expect(await shown(page)).toEqual([{ title: "Carillon", body: "The kettle boils 🫖" }]);
  expect(service.problems).toEqual([]);
});

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
