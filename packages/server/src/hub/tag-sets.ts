/**
 * The tags of connected devices. Devices with the same tags share one set, by which they are told apart at delivery: an
 * expression is tried once for each set, not once for each device.
 */

export interface TagSet {
  /** Names it in topics and caches. */
  readonly key: string;
  readonly tags: ReadonlySet<string>;
}

/** Nobody's and everybody's: without tags. */
export const NO_TAGS: TagSet = { key: "", tags: new Set() };

interface Entry {
  readonly set: TagSet;
  holders: number;
}

/** A set is kept for as long as somebody holds it. */
export class TagSets {
  readonly #entries = new Map<string, Entry>();
  #last = 0;

  /** The set of these tags, to be given back by `release`. */
  hold(tags: readonly string[] = []): TagSet {
    if (tags.length === 0) return NO_TAGS;
    const name = nameOf(tags);
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      this.#last += 1;
      entry = { set: { key: this.#last.toString(36), tags: new Set(tags) }, holders: 0 };
      this.#entries.set(name, entry);
    }
    entry.holders += 1;
    return entry.set;
  }

  release({ tags }: TagSet): void {
    const name = nameOf([...tags]);
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.holders -= 1;
    if (entry.holders === 0) this.#entries.delete(name);
  }
}

/** Tags hold no spaces. */
function nameOf(tags: readonly string[]): string {
  return [...tags].sort().join(" ");
}
