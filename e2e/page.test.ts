/** The app page in a real Chromium. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser } from "./support/browser.ts";
import { Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { inState, visit as visitPage } from "./support/visit.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const visit = (url: string, options?: BrowserContextOptions) => visitPage(browser, url, options);
const messageCount = (page: Page) => page.locator("[data-testid=messages] li").count();
const moreThan = (page: Page, count: number) =>
  page.locator("[data-testid=messages] li").nth(count).waitFor({ state: "attached" });

test("switched off nothing arrives for three intervals, switched on it resumes, and the switch is remembered", async () => {
  await using server = await Server.start(["--push-every", "1s"]);
  await using witness = await Client.connect("ws", server.wsUrl);
  await using visited = await visit(server.httpUrl);
  const { page, errors } = visited;
  await moreThan(page, 0);

  await page.getByTestId("push-switch").click();
  await server.out.line(/unsubscribe: 关闭推送/);
  const whenOff = await messageCount(page);
  await witness.next(4);
  expect(await messageCount(page)).toBe(whenOff);

  await page.reload();
  await inState(page, "open");
  expect(await page.getByTestId("push-switch").getAttribute("aria-checked")).toBe("false");
  await witness.next(2);
  expect(await messageCount(page)).toBe(0);

  await page.getByTestId("push-switch").click();
  await moreThan(page, 1);
  expect(errors).toEqual([]);
});

test("the server is killed and comes back: so does the page, with its switch where it was", async () => {
  const first = await Server.start(["--push-every", "1s"]);
  await using visited = await visit(first.httpUrl);
  const { page, errors } = visited;
  await moreThan(page, 0);
  await page.getByTestId("push-switch").click();
  await first.out.line(/unsubscribe/);

  process.kill(await first.serverPid(), "SIGKILL");
  await first.exited;
  await inState(page, "waiting");
  await using second = await Server.start(["--push-every", "1s", "--port", String(first.port)]);
  await inState(page, "open");
  const before = await messageCount(page);
  await using witness = await Client.connect("ws", second.wsUrl);
  await witness.next(2);
  expect(await messageCount(page)).toBe(before);
  expect(await page.getByTestId("push-switch").getAttribute("aria-checked")).toBe("false");
  await page.getByTestId("push-switch").click();
  await moreThan(page, before);
  expect(errors).toEqual([]);
});

test("disconnect stays disconnected, also after a reload; connect connects", async () => {
  await using server = await Server.start(["--push-every", "off"]);
  await using visited = await visit(server.httpUrl);
  const { page } = visited;
  await inState(page, "open");
  await page.getByTestId("connect").click();
  await inState(page, "closed");
  await server.out.line(/Client disconnected\. Total connections: 0/);
  await page.reload();
  await inState(page, "closed");
  await page.getByTestId("connect").click();
  await inState(page, "open");
});

test("the switch alone never connects; off and on again, it starts from then", async () => {
  await using server = await Server.start(["--push-every", "1s"]);
  await using witness = await Client.connect("ws", server.wsUrl);
  await using visited = await visit(server.httpUrl);
  const { page } = visited;
  await moreThan(page, 0);
  await page.getByTestId("connect").click();
  await page.reload();
  const [missed = ""] = await witness.next(1);
  await page.getByTestId("push-switch").click();
  await page.getByTestId("push-switch").click();
  await inState(page, "closed");
  await witness.next(1);
  await page.getByTestId("connect").click();
  await moreThan(page, 0);
  expect(await page.locator(`[data-message="${missed}"]`).count()).toBe(0);
});

test("where nobody may listen without a token, the page says so", async () => {
  await using server = await Server.start(["--anonymous", "off"]);
  await using visited = await visit(server.httpUrl);
  const said = "The server ended the connection for good (4500: a token is needed)";
  await visited.page.getByText(said, { exact: true }).waitFor();
});

test("heartbeats: by hand, at the interval the person sets, and shown with their round trip", async () => {
  await using server = await Server.start(["--push-every", "off"]);
  await using visited = await visit(server.httpUrl);
  const { page, errors } = visited;
  await inState(page, "open");
  const beats = page.locator("[data-testid=log] li", { hasText: "Heartbeat answered in" });
  await page.getByTestId("heartbeat-now").click();
  await beats.first().waitFor();
  expect(await page.getByTestId("round-trip").textContent()).toMatch(/^Last one answered in [\d.]+ ms$/);

  await page.getByTestId("heartbeat-interval").selectOption("custom");
  await page.getByTestId("heartbeat-custom").fill("1");
  await page.getByTestId("heartbeat-custom").press("Enter");
  await beats.nth(2).waitFor();
  await page.reload();
  expect(await page.getByTestId("heartbeat-custom").inputValue()).toBe("1");
  await beats.nth(1).waitFor();
  expect(errors).toEqual([]);
});

test("what is pushed is shown as text and never as markup; the log can be cleared", async () => {
  const markup = "<img src=x onerror=alert(1)>";
  await using server = await Server.start(["--push-every", "1s", "--push-text", markup]);
  await using visited = await visit(server.httpUrl);
  const { page, errors } = visited;
  await moreThan(page, 0);
  expect(await page.locator("main b, main img").count()).toBe(0);
  await page.getByTestId("clear-log").click();
  expect(await page.locator("[data-testid=log] li").count()).toBe(0);
  expect(errors).toEqual([]);
});

test.each([
  [390, 844],
  [1280, 800],
])("at %d × %d nothing is cut off sideways, in both languages", async (width, height) => {
  await using server = await Server.start(["--push-every", "1s"]);
  await using visited = await visit(server.httpUrl, { viewport: { width, height }, locale: "zh-CN" });
  const { page } = visited;
  await moreThan(page, 0);
  expect(await page.locator("html").getAttribute("lang")).toBe("zh-CN");
  expect(await page.getByTestId("state").textContent()).toContain("已连接");
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(await overflow()).toBe(0);
  await page.getByTestId("language").click();
  expect(await page.getByTestId("state").textContent()).toContain("Connected");
  expect(await overflow()).toBe(0);
});

test("with a token typed in, the page receives another channel than the default, also after a reload", async () => {
  const key = "a-key-for-these-tests";
  await using server = await Server.start(["--push-every", "off", "--anonymous", "off", "--admin-key", key]);
  await using visited = await visit(server.httpUrl);
  const { page, errors } = visited;
  await page.getByTestId("access").locator("summary").click();
  await page.getByTestId("channel").fill("no//name");
  await page.getByTestId("apply-access").click();
  expect(await page.getByTestId("channel").evaluate((input: HTMLInputElement) => input.validity.valid)).toBe(
    false,
  );

  await page.getByTestId("channel").fill("news/local");
  await page.getByTestId("token").fill(key);
  await Promise.all([page.waitForEvent("load"), page.getByTestId("apply-access").click()]);
  await server.out.line(/subscribe: 开启推送/);
  const publish = (text: string) =>
    fetch(`${server.httpUrl}/v1/channels/news/local/messages`, {
      method: "POST",
      body: text,
      headers: { authorization: `Bearer ${key}` },
    });
  expect((await publish("Backup done")).status).toBe(201);
  await page.locator("[data-message='Backup done']").waitFor();

  await page.reload();
  await inState(page, "open");
  await publish("And again");
  await page.locator("[data-message='And again']").waitFor();
  expect(await page.getByTestId("token").inputValue()).toBe(key);
  expect(errors).toEqual([]);
});
