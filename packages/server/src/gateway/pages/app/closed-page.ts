/**
 * Notifications while the page is closed: a service worker, to which the browser's push service brings what the server sends
 * when the device is not connected (RFC 8030).
 */
import type { Device } from "@carillon/client/device";
import { loadIdentity, saveIdentity } from "../worker/identity.ts";

export type ClosedPage = "impossible" | "denied" | "off" | "on";

export async function closedPage(): Promise<ClosedPage> {
  // Browsers have neither where a page is served without https.
  if (!("serviceWorker" in navigator) || !("PushManager" in globalThis)) return "impossible";
  if (Notification.permission === "denied") return "denied";
  return (await subscription()) == null ? "off" : "on";
}

/**
 * Asks the person, and tells the server where the browser is reached.
 * @throws {Error} by rejection, if the browser or the server cannot.
 */
export async function switchClosedPageOn(device: Device, server: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") return;
  const answer = await fetch(new URL("v1/web-push", server));
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const { publicKey } = (await answer.json()) as { publicKey: string };
  await navigator.serviceWorker.register(new URL("sw.js", server));
  const { pushManager } = await navigator.serviceWorker.ready;
  // One with another key was made for another server, or before its key was changed; both at once are refused.
  await (await pushManager.getSubscription())?.unsubscribe();
  await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: publicKey });
  await tellSubscription(device);
}

/** @throws {Error} by rejection, if the server cannot be told; the browser's end has ceased all the same. */
export async function switchClosedPageOff(device: Device): Promise<void> {
  await endClosedPage();
  await device.update({ webPush: null });
}

/** The browser is not reached any more, by whomever. */
export async function endClosedPage(): Promise<void> {
  await (await subscription())?.unsubscribe();
  await saveIdentity(globalThis.caches, undefined);
}

/**
 * Tells the server where the browser is reached, if it is: it may have moved while the page was closed, and a new device has to be
 * told of it at all. To be called when the device has an identity.
 */
export async function tellSubscription(device: Device): Promise<void> {
  const present = await subscription();
  const { identity } = device;
  if (present == null || identity === undefined) return;
  const known = await loadIdentity(globalThis.caches);
  const said = { ...identity, endpoint: present.endpoint };
  if (JSON.stringify(known) === JSON.stringify(said)) return;
  await device.update({ webPush: present.toJSON() });
  await saveIdentity(globalThis.caches, said);
}

/** Takes a notification away: its message has been read in the page, or handled on another device. */
export async function closeNotification(id: string): Promise<void> {
  const registration = await registered();
  const shown = (await registration?.getNotifications()) ?? [];
  for (const notification of shown) {
    if ((notification.data as { id?: string } | null)?.id === id) notification.close();
  }
}

async function subscription(): Promise<PushSubscription | null | undefined> {
  return (await registered())?.pushManager.getSubscription();
}

async function registered(): Promise<ServiceWorkerRegistration | undefined> {
  return navigator.serviceWorker?.getRegistration();
}
