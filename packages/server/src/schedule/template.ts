/**
 * The text of the built-in schedule: `content.ts` with `{{now}}` alone, and no format of its own.
 *
 *     const template = compileTemplate("Server push message at {{now}}");
 *     if (template.ok) template.render({ now: "2026-11-24 09:30:00" });
 */
import { MAX_FRAME_BYTES } from "@carillon/protocol/limits";
import { splitTemplate } from "./content.ts";

/** What a template may name. `now` is the time of the run as `yyyy-MM-dd HH:mm:ss`. */
export type TemplateValues = Readonly<Record<"now", string>>;

export type Template =
  | { readonly ok: true; readonly render: (values: TemplateValues) => string }
  | { readonly ok: false; readonly problem: string };

/** Compiles `source`; a problem (an unknown name, an empty or too large text) is one line for people. */
export function compileTemplate(source: string): Template {
  if (source === "") return { ok: false, problem: "the text is empty" };
  if (Buffer.byteLength(source) > MAX_FRAME_BYTES) {
    return { ok: false, problem: `the text is over ${MAX_FRAME_BYTES} bytes` };
  }
  const parts = splitTemplate(source);
  for (const part of parts) {
    if (typeof part === "string" || (part.name === "now" && part.args.length === 0)) continue;
    return { ok: false, problem: `unknown name ${part.whole}` };
  }
  return {
    ok: true,
    render: ({ now }) => parts.map((part) => (typeof part === "string" ? part : now)).join(""),
  };
}
