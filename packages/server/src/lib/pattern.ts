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

/** A test for a list of patterns, separated by commas; an empty list fits nothing. */
export function channelPatterns(list: string): Fits {
  const fits = list
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map(pattern);
  return (name) => fits.some((each) => each(name));
}
