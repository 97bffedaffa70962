/** What no browser can be made to ask for; e2e/closed-page.test.ts has the rest. */
import { expect, test } from "bun:test";
import { loadIdentity, saveIdentity } from "./identity.ts";
import { startServiceWorker, type WorkerScope } from "./service-worker.ts";

const SCOPE = "https://h/base/";
const subscriptionAt = (endpoint: string) => ({ endpoint, options: { applicationServerKey: "key" } });

/** A browser that does what it is asked, and notes it. */
function start({ pages = [] as readonly string[], status = 200 } = {}) {
  const handlers = new Map<string, (event: object) => void>();
  const kept = new Map<string, Response>();
  const deeds: unknown[] = [];
  const cache = {
    match: async (place: string) => kept.get(place)?.clone(),
    put: async (place: string, answer: Response) => kept.set(place, answer),
  };
  const caches = { open: async () => cache } as object as CacheStorage;
  startServiceWorker({
    addEventListener: (type: string, handler: (event: object) => void) => handlers.set(type, handler),
    skipWaiting: async () => {},
    navigator: { language: "en" },
    registration: {
      scope: SCOPE,
      pushManager: {
        subscribe: async (options: object) => {
          deeds.push(options);
          return subscriptionAt("https://push.example/new");
        },
      },
    },
    clients: {
      matchAll: async () => pages.map((url) => ({ url, focus: async () => deeds.push(`focus ${url}`) })),
      openWindow: async (url: string) => deeds.push(`open ${url}`),
    },
    caches,
    fetch: async (url: string, { method, headers, body }: RequestInit) => {
      deeds.push([method, url, headers, JSON.parse(String(body))]);
      return new Response(null, { status });
    },
  } as object as WorkerScope);
  /** Resolves when the worker is done with it. */
  const happens = async (type: string, event: object) => {
    const done: unknown[] = [];
    handlers.get(type)?.({ ...event, waitUntil: (each: unknown) => done.push(each) });
    await Promise.all(done);
  };
  return { caches, deeds, happens };
}

const identity = { id: "d_1", token: "dk_1_secret", endpoint: "https://push.example/old" };
const told = (endpoint: string) => [
  "PATCH",
  `${SCOPE}v1/devices/d_1`,
  { authorization: "Bearer dk_1_secret", "content-type": "application/json" },
  { webPush: subscriptionAt(endpoint) },
];

test.each([
  [[], `open ${SCOPE}`],
  [["https://h/other"], `open ${SCOPE}`],
  [["https://h/other", `${SCOPE}#top`], `focus ${SCOPE}#top`],
])("a click while %j are open: %s", async (pages, deed) => {
  const { deeds, happens } = start({ pages });
  await happens("notificationclick", { notification: { close: () => deeds.push("close") } });
  expect(deeds).toEqual(["close", deed]);
});

test("a subscription that the browser has ended is made anew with the same key, and the server is told", async () => {
  const { caches, deeds, happens } = start();
  await saveIdentity(caches, identity);
  await happens("pushsubscriptionchange", { oldSubscription: subscriptionAt(identity.endpoint) });
  const options = { userVisibleOnly: true, applicationServerKey: "key" };
  expect(deeds).toEqual([options, told("https://push.example/new")]);
  expect(await loadIdentity(caches)).toEqual({ ...identity, endpoint: "https://push.example/new" });
});

test("one that the browser has made anew itself is told; where it cannot be, the page will tell it", async () => {
  const { caches, deeds, happens } = start({ status: 503 });
  await saveIdentity(caches, identity);
  await happens("pushsubscriptionchange", { newSubscription: subscriptionAt("https://push.example/other") });
  expect(deeds).toEqual([told("https://push.example/other")]);
  expect(await loadIdentity(caches)).toEqual(identity);
});

test("without a device, or a key to subscribe with, there is nothing to tell", async () => {
  const { caches, deeds, happens } = start();
  await happens("pushsubscriptionchange", { oldSubscription: subscriptionAt("https://push.example/old") });
  await saveIdentity(caches, identity);
  await happens("pushsubscriptionchange", {});
  expect(deeds).toEqual([]);
});
