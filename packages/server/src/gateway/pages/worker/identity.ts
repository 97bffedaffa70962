/**
 * Who the device is, where the service worker can read it: it has no `localStorage`. Kept as an answer in a cache, the simplest
 * storage that both have.
 */

interface Identity {
  readonly id: string;
  readonly token: string;
  /** Where the server has been told that the browser is reached. */
  readonly endpoint: string;
}

const CACHE = "carillon-device";
/** Nothing is ever loaded from there. */
const PLACE = "/.identity";

/** Keeps it, or forgets what was kept. */
export async function saveIdentity(identity: Identity | undefined): Promise<void> {
  // Browsers have no caches where a page is served without https, and then no service worker either.
  if (!("caches" in globalThis)) return;
  if (identity === undefined) await caches.delete(CACHE);
  else await (await caches.open(CACHE)).put(PLACE, Response.json(identity));
}

export async function loadIdentity(): Promise<Identity | undefined> {
  const kept = await (await caches.open(CACHE)).match(PLACE);
  return kept === undefined ? undefined : ((await kept.json()) as Identity);
}
