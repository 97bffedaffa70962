/** Patterns over names: `*` stands for any characters, everything else for itself. */

/** Whether a name fits. */
export type Fits = (name: string) => boolean;

/** A test for one pattern. Linear in the name's length whatever the pattern: no two adjacent stars remain. */
export function pattern(text: string): Fits {
  if (text === "*") return () => true;
  if (!text.includes("*")) return (name) => name === text;
  const parts = text.split(/\*+/);
  return (name) => {
    const [first = ""] = parts;
    const last = parts.at(-1) ?? "";
    if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
      return false;
    let at = first.length;
    const end = name.length - last.length;
    for (const part of parts.slice(1, -1)) {
      const found = name.indexOf(part, at);
      if (found === -1 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

/**
 * A test for a list of patterns over channels' names, separated by commas; an empty list fits nothing. Names that begin with
 * `$`, the server's own, are meant only by patterns that do so too: `*` has never given anybody another's inbox.
 */
export function channelPatterns(list: string): Fits {
  const patterns = list
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((text) => ({ isOwn: text.startsWith("$"), fits: pattern(text) }));
  return (name) => patterns.some(({ isOwn, fits }) => fits(name) && (isOwn || !name.startsWith("$")));
}
