/**
 * The app page's service worker: shows what is pushed while the page is closed. It keeps nothing and loads nothing; the page
 * asks for it only when notifications are switched on.
 */
import { loadIdentity, saveIdentity } from "./identity.ts";

declare const self: ServiceWorkerGlobalScope;

/** What a push service has brought: a publication as it is on the wire, in its channel. */
interface Pushed {
  readonly channel?: string;
  readonly publication?: {
    readonly id: string;
    readonly time?: string;
    readonly data: unknown;
    readonly collapseKey?: string;
  };
}

self.addEventListener("push", (event) => event.waitUntil(show(event.data?.text() ?? "")));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openPage());
});
self.addEventListener("pushsubscriptionchange", (event) => {
  (event as ExtendableEvent).waitUntil(subscribeAgain(event as SubscriptionChange));
});
// A new version of this file is in force at once: no page depends on the one before.
self.addEventListener("install", () => void self.skipWaiting());

function show(text: string): Promise<void> {
  const { channel = "", publication } = parse(text);
  // Browsers punish those who show nothing.
  if (publication === undefined) return self.registration.showNotification("Carillon", { body: text });
  const { id, time, data, collapseKey } = publication;
  const options = {
    body: typeof data === "string" ? data : JSON.stringify(data),
    // Of those with one key the last one stands, as in the inbox.
    tag: collapseKey ?? id,
    timestamp: time === undefined ? undefined : Date.parse(time),
    data: { id, channel },
  };
  // Of an inbox everybody knows whose it is.
  return self.registration.showNotification(channel.startsWith("$") ? "Carillon" : channel, options);
}

function parse(text: string): Pushed {
  try {
    const pushed: unknown = JSON.parse(text);
    return typeof pushed === "object" && pushed !== null ? pushed : {};
  } catch {
    return {};
  }
}

/** The page that is open, or a new one. */
async function openPage(): Promise<void> {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find(({ url }) => url.startsWith(self.registration.scope));
  if (page !== undefined) await page.focus();
  else await self.clients.openWindow(self.registration.scope);
}

/** Not in every library of types. */
interface SubscriptionChange extends ExtendableEvent {
  readonly oldSubscription?: PushSubscription | null;
  readonly newSubscription?: PushSubscription | null;
}

/** The browser has ended the subscription: the server is told where the device is reached from now on. */
async function subscribeAgain({ oldSubscription, newSubscription }: SubscriptionChange): Promise<void> {
  const identity = await loadIdentity();
  const applicationServerKey = oldSubscription?.options.applicationServerKey;
  if (identity === undefined || (newSubscription == null && applicationServerKey == null)) return;
  const subscription =
    newSubscription ??
    (await self.registration.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: applicationServerKey ?? null,
    }));
  const { id, token } = identity;
  const { ok } = await fetch(new URL(`v1/devices/${id}`, self.registration.scope), {
    method: "PATCH",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ webPush: subscription }),
  });
  // Else the page tells it when it is open again.
  if (ok) await saveIdentity({ ...identity, endpoint: subscription.endpoint });
}
