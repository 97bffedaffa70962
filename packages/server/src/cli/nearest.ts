/** What a mistyped word was meant to be. */

/** The one of `words` that takes the fewest changes of a letter; `undefined` if none is near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  // More changes than a third of the word, and it is another one.
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const each of words) {
    const changes = distance(word, each);
    if (changes < fewest) [best, fewest] = [each, changes];
  }
  return best;
}

/** Letters to insert, drop, replace or swap with their neighbour (optimal string alignment). */
function distance(one: string, other: string): number {
  let [before, last]: number[][] = [[], Array.from({ length: other.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwap = one[row - 2] === other[column - 1] && one[row - 1] === other[column - 2];
      const swapped = row > 1 && column > 1 && isSwap ? (before?.[column - 2] ?? 0) + 1 : Infinity;
      const replaced = (last?.[column - 1] ?? 0) + (isSame ? 0 : 1);
      const inserted = Math.min(next[column - 1] ?? 0, last?.[column] ?? 0) + 1;
      next.push(Math.min(swapped, replaced, inserted));
    }
    [before, last] = [last, next];
  }
  return last?.[other.length] ?? 0;
}
