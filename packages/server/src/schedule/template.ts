/**
 * Texts with `{{names}}` in them, checked when they are compiled and filled in when a run is due.
 *
 *     const template = compileTemplate("Server push message at {{now}}");
 *     if (template.ok) template.render({ now: "2026-11-24 09:30:00" });
 */
import { MAX_FRAME_BYTES } from "@carillon/protocol/limits";

/** What a template may name. `now` is the time of the run as `yyyy-MM-dd HH:mm:ss`. */
export type TemplateValues = Readonly<Record<"now", string>>;

export type Template =
  | { readonly ok: true; readonly render: (values: TemplateValues) => string }
  | { readonly ok: false; readonly problem: string };

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;
const NAMES: ReadonlySet<string> = new Set<keyof TemplateValues>(["now"]);

/** Compiles `source`; a problem (an unknown name, an empty or too large text) is one line for people. */
export function compileTemplate(source: string): Template {
  if (source === "") return { ok: false, problem: "the text is empty" };
  if (Buffer.byteLength(source) > MAX_FRAME_BYTES) {
    return { ok: false, problem: `the text is over ${MAX_FRAME_BYTES} bytes` };
  }
  for (const [whole, name = ""] of source.matchAll(PLACEHOLDER)) {
    if (!NAMES.has(name)) return { ok: false, problem: `unknown name ${whole}` };
  }
  return {
    ok: true,
    render: (values) => source.replace(PLACEHOLDER, (_, name: keyof TemplateValues) => values[name]),
  };
}
