/** Shows what is pushed while the page is closed. It keeps nothing of it and loads nothing. */
import { loadIdentity, saveIdentity } from "./identity.ts";

/** What a push service has brought: a publication as it is on the wire, and its channel. */
interface Pushed {
  readonly channel: string;
  readonly id: string;
  readonly time: string;
  /** Not there where it was too long for a push service; the page has it when it is open. */
  readonly data?: unknown;
  readonly collapseKey?: string;
}

/** Of a browser's events, what is looked at. */
interface Events {
  readonly install: object;
  readonly push: Extendable & { readonly data: { text(): string } | null };
  readonly notificationclick: Extendable & { readonly notification: { close(): void } };
  readonly pushsubscriptionchange: Extendable & {
    readonly oldSubscription?: PushSubscription | null;
    readonly newSubscription?: PushSubscription | null;
  };
}

interface Extendable {
  /** The browser lets the worker live until then. */
  waitUntil(done: Promise<unknown>): void;
}

/** The part of the standard `ServiceWorkerGlobalScope` that is used; the types of a page do not know it. */
export interface WorkerScope {
  addEventListener<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
  skipWaiting(): Promise<void>;
  readonly navigator: { readonly language: string };
  readonly registration: {
    readonly scope: string;
    readonly pushManager: Pick<PushManager, "subscribe">;
    showNotification(title: string, options: object): Promise<void>;
  };
  readonly clients: {
    matchAll(options: object): Promise<readonly { readonly url: string; focus(): Promise<unknown> }[]>;
    openWindow(url: string): Promise<unknown>;
  };
  readonly caches: Pick<CacheStorage, "open" | "delete">;
  fetch(url: string, init: RequestInit): Promise<Pick<Response, "ok">>;
}

export function startServiceWorker(scope: WorkerScope): void {
  // A new version is in force at once: no page depends on the one before.
  scope.addEventListener("install", () => void scope.skipWaiting());
  scope.addEventListener("push", (event) => event.waitUntil(show(scope, event.data?.text() ?? "")));
  scope.addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(openPage(scope));
  });
  scope.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(subscribeAgain(scope, event)));
}

function show({ registration, navigator }: WorkerScope, text: string): Promise<void> {
  const pushed = parse(text);
  // Browsers punish those who show nothing.
  if (pushed === undefined) return registration.showNotification("Carillon", { body: text });
  const { channel, id, time, data, collapseKey } = pushed;
  const options = {
    body: data === undefined ? longMessage(navigator.language) : bodyOf(data),
    // Of those with one key the last one stands, as in the inbox.
    tag: collapseKey === undefined ? id : `${channel} ${collapseKey}`,
    timestamp: Date.parse(time),
    data: { id },
  };
  // Of an inbox everybody knows whose it is.
  return registration.showNotification(channel.startsWith("$") ? "Carillon" : channel, options);
}

function bodyOf(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}

function longMessage(language: string): string {
  return /^zh\b/i.test(language) ? "一条长消息" : "A long message";
}

/** `undefined` if it is no publication. */
function parse(text: string): Pushed | undefined {
  try {
    const pushed = JSON.parse(text) as Partial<Pushed> | null;
    const isOne = typeof pushed?.id === "string" && typeof pushed.channel === "string";
    return isOne ? (pushed as Pushed) : undefined;
  } catch {
    return undefined;
  }
}

/** The page that is open, or a new one. */
async function openPage({ clients, registration }: WorkerScope): Promise<void> {
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find(({ url }) => url.startsWith(registration.scope));
  if (page !== undefined) await page.focus();
  else await clients.openWindow(registration.scope);
}

/** The browser has ended the subscription: the server is told where the device is reached from now on. */
async function subscribeAgain(
  scope: WorkerScope,
  { oldSubscription, newSubscription }: Events["pushsubscriptionchange"],
): Promise<void> {
  const { registration, caches } = scope;
  const identity = await loadIdentity(caches);
  const applicationServerKey = oldSubscription?.options.applicationServerKey ?? null;
  if (identity === undefined || (newSubscription == null && applicationServerKey === null)) return;
  const options = { userVisibleOnly: true, applicationServerKey };
  const subscription = newSubscription ?? (await registration.pushManager.subscribe(options));
  const { id, token } = identity;
  const { ok } = await scope.fetch(new URL(`v1/devices/${id}`, registration.scope).href, {
    method: "PATCH",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ webPush: subscription }),
  });
  // Else the page tells it when it is open again.
  if (ok) await saveIdentity(caches, { ...identity, endpoint: subscription.endpoint });
}
