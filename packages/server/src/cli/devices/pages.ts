/** Lists that may be long: a page after the other, up to as many as are wanted. */
import { ConfigError } from "../../config.ts";
import type { Flag } from "../flags.ts";
import type { RequestOptions } from "../http.ts";

const PAGE = 1_000;
const USUALLY = 1_000;
const MOST = 1_000_000;

export const countFlag = {
  count: { value: "COUNT", about: "how many at most", initial: `${USUALLY}` },
} as const satisfies Record<string, Flag>;

export interface Page<Item> {
  readonly items: readonly Item[];
  /** The last item of the page, if there are more. */
  readonly next: string | null;
}

/** The first items, as many as `count` says. */
export async function firstOf<Item>(
  count: number,
  ask: (query: NonNullable<RequestOptions["query"]>) => Promise<Page<Item>>,
): Promise<Page<Item>> {
  const items: Item[] = [];
  let after: string | null = "";
  while (after !== null && items.length < count) {
    const limit = Math.min(PAGE, count - items.length);
    const page: Page<Item> = await ask({ limit, ...(after !== "" && { after }) });
    items.push(...page.items);
    after = page.next;
  }
  return { items, next: after };
}

/** @throws {ConfigError} if `--count` is no count. */
export function readCount(text: string | undefined): number {
  if (text === undefined) return USUALLY;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MOST) return count;
  throw new ConfigError(`--count ${JSON.stringify(text)}: expected a whole number from 1 to ${MOST}`);
}

/** What is told beside a list of which more is there. */
export const THERE_ARE_MORE = "There are more; --count shows as many as it says";
