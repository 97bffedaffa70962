/**
 * Where positions outlive a restart of the app. A store is two functions, so an app may bring its own:
 *
 *     new Carillon(url, { store: localStorageStore() });
 */

export interface Store {
  /** What was saved last under `key`; may be late, may not be there. */
  load(key: string): string | undefined | Promise<string | undefined>;
  /** Keeps `value`; `undefined` forgets. Called at most about once a second for a key. */
  save(key: string, value: string | undefined): void | Promise<void>;
}

/** Forgets when the app ends. */
export function memoryStore(): Store {
  const kept = new Map<string, string>();
  return {
    load: (key) => kept.get(key),
    save: (key, value) => {
      if (value === undefined) kept.delete(key);
      else kept.set(key, value);
    },
  };
}

interface WebStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/**
 * Keeps in a browser's `localStorage`, or in a storage like it. One that is full or forbidden (private mode) is no
 * error: positions are then only as old as the page.
 */
export function localStorageStore(
  prefix = "carillon:",
  // In a frame without an origin of its own even to look at it is forbidden.
  storage = attempt(() => (globalThis as { localStorage?: WebStorage }).localStorage),
): Store {
  return {
    load: (key) => attempt(() => storage?.getItem(prefix + key)) ?? undefined,
    save: (key, value) =>
      attempt(() => {
        if (value === undefined) storage?.removeItem(prefix + key);
        else storage?.setItem(prefix + key, value);
      }),
  };
}

function attempt<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
