/** The app page as a device, in a real Chromium. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
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

/** A server and a browser that is a device of it. */
async function setUp(options: BrowserContextOptions = {}) {
  const server = await Server.start(["--push-every", "off", "--admin-key", KEY]);
  const visited = await visit(browser, server.httpUrl, options);
  const id = await makeDevice(visited.page);
  const dispose = async () => {
    await visited[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  };
  return { server, api: new Caller(server, KEY), ...visited, id, [Symbol.asyncDispose]: dispose };
}

/** Makes the page a device; resolves to its id. */
async function makeDevice(page: Page): Promise<string> {
  await inState(page, "open");
  await Promise.all([page.waitForEvent("load"), page.getByTestId("make-device").click()]);
  return idOf(page);
}

async function idOf(page: Page): Promise<string> {
  await inboxSwitch(page, "To everyone or a tag").waitFor();
  return (await page.getByTestId("device-id").textContent()) ?? "";
}

const inboxSwitch = (page: Page, name: string) => page.getByTestId("inbox").getByRole("switch", { name });
const message = (page: Page, text: string) => page.locator(`[data-message="${text}"]`);
const isSwitched = (page: Page, name: string, on: boolean) =>
  page.locator(`[data-testid=${name}-switch][aria-checked=${on}]`).waitFor();
const logged = (page: Page, text: string) => page.getByTestId("log").getByText(text).first().waitFor();

test("a browser is a device when the person asks, and its inbox waits for it", async () => {
  await using server = await Server.start(["--push-every", "off", "--admin-key", KEY]);
  const api = new Caller(server, KEY);
  await using visited = await visit(browser, server.httpUrl, { timezoneId: "Asia/Tokyo" });
  const { page, errors } = visited;
  await inState(page, "open");
  expect((await api.call("GET", "/v1/devices")).body.devices).toEqual([]);
  const id = await makeDevice(page);
  await page.getByTestId("tags").fill("beta, web beta");
  await page.getByTestId("apply-tags").click();
  await page.waitForFunction(() => document.querySelector<HTMLInputElement>("#tags")?.value === "beta web");
  const known = { platform: "web", locale: "en-US", timeZone: "Asia/Tokyo", tags: ["beta", "web"] };
  expect((await api.call("GET", `/v1/devices/${id}`)).body).toMatchObject({ ...known, connected: true });

  await page.goto("about:blank");
  await server.out.line(/Client disconnected\. Total connections: 0/);
  const send = (to: string, data: string) => api.call("POST", "/v1/messages", { to, data });
  await send(`device:${id}`, "For you alone");
  await send("tag:beta & tag:web", "For some");
  await send("tag:android", "For others");
  await send("everyone", "For all");
  await page.goto(server.httpUrl);
  for (const text of ["For you alone", "For some", "For all"]) await message(page, text).waitFor();
  expect(await message(page, "For you alone").textContent()).toContain("To this browser");
  expect(await message(page, "For others").count()).toBe(0);
  expect(await idOf(page)).toBe(id);
  expect(errors).toEqual([]);
});

test("its switches stick: set in the page or by the backend, they are the same in all its tabs and after a reload", async () => {
  await using device = await setUp();
  const { page, api, id, server, errors } = device;
  const other = await page.context().newPage();
  await other.goto(server.httpUrl);
  expect(await idOf(other)).toBe(id);
  await page.getByTestId("push-switch").click();
  await isSwitched(other, "push", false);
  const subscriptions = async () =>
    (await api.call("GET", `/v1/devices/${id}/subscriptions`)).body.subscriptions;
  expect(await subscriptions()).toContainEqual({ channel: "push", push: false });
  await page.reload();
  await isSwitched(page, "push", false);
  await api.call("POST", "/v1/channels/push/messages", { data: "Not wanted" });

  await api.call("PUT", `/v1/devices/${id}/subscriptions/push`, { push: true });
  for (const tab of [page, other]) await isSwitched(tab, "push", true);
  await api.call("POST", "/v1/channels/push/messages", { data: "Wanted" });
  for (const tab of [page, other]) await message(tab, "Wanted").waitFor();
  expect(await message(page, "Not wanted").count()).toBe(0);

  await inboxSwitch(page, "To everyone or a tag").click();
  await other.locator("[data-channel='$all'][aria-checked=false]").waitFor();
  expect(await subscriptions()).toContainEqual({ channel: "$all", push: false });
  expect(errors).toEqual([]);
});

test("push that was off before stays off", async () => {
  await using server = await Server.start(["--push-every", "off", "--admin-key", KEY]);
  await using visited = await visit(browser, server.httpUrl);
  const { page } = visited;
  await inState(page, "open");
  await page.getByTestId("push-switch").click();
  const id = await makeDevice(page);
  await isSwitched(page, "push", false);
  const { body } = await new Caller(server, KEY).call("GET", `/v1/devices/${id}/subscriptions`);
  expect(body.subscriptions).toContainEqual({ channel: "push", push: false });
});

test("quiet hours go by the browser's clock; what is urgent comes all the same, the rest when they end", async () => {
  // Where it is not the one minute of the day that they do not cover.
  const timezoneId = new Date().getUTCHours() === 23 ? "Asia/Tokyo" : "UTC";
  await using device = await setUp({ timezoneId });
  const { page, api, id, errors } = device;
  const quietHours = { from: "00:00", to: "23:59" };
  await page.getByTestId("quiet-from").fill(quietHours.from);
  await page.getByTestId("quiet-to").fill(quietHours.to);
  await page.getByTestId("quiet-switch").click();
  await isSwitched(page, "quiet", true);
  const { body } = await api.call("GET", `/v1/devices/${id}/subscriptions`);
  expect(body.subscriptions).toContainEqual({ channel: "push", push: true, quietHours });
  await api.call("POST", "/v1/messages", { to: `device:${id}`, data: "Later" });
  await api.call("POST", "/v1/messages", { to: `device:${id}`, data: "Now", urgency: "high" });
  await message(page, "Now").waitFor();
  expect(await message(page, "Later").count()).toBe(0);
  await page.getByTestId("quiet-switch").click();
  await isSwitched(page, "quiet", false);
  await message(page, "Later").waitFor();
  expect(errors).toEqual([]);
});

test("what the user has read in one browser goes away in the other, where nobody has looked", async () => {
  await using device = await setUp();
  const { page, api, server, id } = device;
  await using background = await visit(browser, "about:blank");
  await background.page.addInitScript(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  });
  await background.page.goto(server.httpUrl);
  const ids = [id, await makeDevice(background.page)];
  for (const each of ids) await api.call("PATCH", `/v1/devices/${each}`, { user: "ann" });
  for (const each of [page, background.page]) await inboxSwitch(each, "To ann").waitFor();

  const sent = await api.call("POST", "/v1/messages", { to: "user:ann", data: "Hello", withdrawOn: "read" });
  await logged(background.page, "Handled on another device");
  expect(await message(background.page, "Hello").count()).toBe(0);
  expect(await message(page, "Hello").count()).toBe(1);
  const { body } = await api.call("GET", `/v1/messages/${sent.body.id}`);
  expect(body).toMatchObject({ recipients: 2, sent: 2, read: 1 });
});

test("a token that is withdrawn cuts the page off, which says so; the person may register anew", async () => {
  await using device = await setUp();
  const { page, api, id } = device;
  await api.call("DELETE", `/v1/devices/${id}/token`);
  await page.getByTestId("revoked").waitFor();
  await inState(page, "closed");
  await page.getByTestId("register-anew").click();
  await inState(page, "open");
  await page.waitForFunction((before) => document.querySelector("#device-id")?.textContent !== before, id);
  expect(await page.getByTestId("revoked").isVisible()).toBe(false);
});

test("forgotten, it is no device any more, here nor there", async () => {
  await using device = await setUp();
  const { page, api, id, errors } = device;
  await Promise.all([page.waitForEvent("load"), page.getByTestId("forget-device").click()]);
  await page.getByTestId("make-device").waitFor();
  await inState(page, "open");
  expect((await api.call("GET", `/v1/devices/${id}`)).status).toBe(404);
  expect(await page.evaluate(() => Object.keys(localStorage).some((key) => key.includes("$")))).toBe(false);
  expect(errors).toEqual([]);
});

test.each([
  [390, 844],
  [1280, 800],
])("at %d × %d nothing is cut off sideways, in both languages", async (width, height) => {
  await using device = await setUp({ viewport: { width, height } });
  const { page } = device;
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  const isCutOff = () =>
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("#is-device *")].some(
        (each) =>
          each.scrollWidth > each.clientWidth + 1 &&
          each.clientWidth > 0 &&
          getComputedStyle(each).display !== "inline",
      ),
    );
  for (const text of ["To everyone or a tag", "发给所有人或标签"]) {
    await inboxSwitch(page, text).waitFor();
    expect([await overflow(), await isCutOff()]).toEqual([0, false]);
    await page.getByTestId("language").click();
  }
});
