/** The last 1,000 ids: enough for what was on its way while a connection was cut. */

const REMEMBERED = 1_000;

export class RecentIds {
  readonly #ids = new Set<string>();

  add(id: string): void {
    const [oldest = ""] = this.#ids.add(id);
    if (this.#ids.size > REMEMBERED) this.#ids.delete(oldest);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
