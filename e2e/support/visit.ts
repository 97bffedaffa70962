/** A visit of the app page in a real browser, whose errors (a script's, or the content-security policy's) are collected. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

export interface Visit extends AsyncDisposable {
  readonly page: Page;
  readonly errors: readonly string[];
}

export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ locale: "en-US", ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    // A refused connection is what some tests are about; Chromium reports each.
    if (message.type() === "error" && !message.text().includes("WebSocket connection"))
      errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors, [Symbol.asyncDispose]: () => context.close() };
}

export const inState = (page: Page, state: string) =>
  page.locator(`[data-testid=state][data-state=${state}]`).waitFor();
