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

/** Browsers have none where a page is served without https, and then no service worker either. */
type Caches = Pick<CacheStorage, "open" | "delete"> | undefined;

const CACHE = "carillon-device";
/** Nothing is ever loaded from there. */
const PLACE = "/.identity";

/** Keeps it, or forgets what was kept. */
export async function saveIdentity(caches: Caches, identity: Identity | undefined): Promise<void> {
  if (identity === undefined) await caches?.delete(CACHE);
  else await (await caches?.open(CACHE))?.put(PLACE, Response.json(identity));
}

export async function loadIdentity(caches: Caches): Promise<Identity | undefined> {
  const kept = await (await caches?.open(CACHE))?.match(PLACE);
  return kept === undefined ? undefined : ((await kept.json()) as Identity);
}
