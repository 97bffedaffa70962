/**
 * `text` as one line that cannot drive a terminal: what a stranger sent must not forge a second log line or move the
 * cursor. Control characters and line separators become U+FFFD.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd");
}
