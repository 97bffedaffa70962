/**
 * The API's reference as a page: rendered once from the description, with no script and nothing from elsewhere, since
 * servers stand where no CDN is reached.
 */
import type { OpenApi, Operation, Parameter } from "./openapi.ts";

type Json = Readonly<Record<string, unknown>>;

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#b4590a}
@media(prefers-color-scheme:dark){:root{--accent:#f0a35c}}
body{font:16px/1.55 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2rem 1rem}
h1{margin-bottom:0}h2{border-top:1px solid var(--line);padding-top:1.5rem;margin-top:2.5rem;font-size:1.1rem}
code,pre{font:14px/1.5 ui-monospace,monospace}pre{background:var(--soft);padding:.75rem 1rem;overflow:auto;border-radius:.5rem}
.method{color:var(--accent);font-weight:700;text-transform:uppercase}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;vertical-align:top;padding:.3rem .75rem .3rem 0;border-bottom:1px solid var(--line)}
nav ul{list-style:none;padding:0}nav a{color:inherit}.note{opacity:.75}a{color:var(--accent)}
`;

/** The page, and the policy that allows its style and nothing else. */
export function referencePage(api: OpenApi): { html: string; contentSecurityPolicy: string } {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const toc = operations.map(
    ({ path, method, operation }) =>
      `<li><a href="#${operation.operationId}"><span class="method">${method}</span> <code>${escapeHtml(path)}</code></a> ${escapeHtml(operation.summary)}</li>`,
  );
  const html = [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<title>${escapeHtml(api.info.title)} HTTP API</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeHtml(api.info.title)} HTTP API</h1><p class="note">Version ${escapeHtml(api.info.version)} · <a href="openapi.json">openapi.json</a></p>`,
    `<p>${prose(api.info.description)}</p>`,
    `<pre>curl -d "Backup done" -H "Authorization: Bearer KEY" http://localhost:8080/v1/channels/news/messages</pre>`,
    `<nav><ul>${toc.join("")}</ul></nav>`,
    ...operations.map(({ path, method, operation }) => section(path, method, operation)),
    `<h2 id="schemas">Schemas</h2>`,
    ...Object.entries(api.components.schemas).map(
      ([name, schema]) => `<h3 id="schema-${name}">${name}</h3>${fields(schema as Json)}`,
    ),
    "</body></html>",
  ].join("\n");
  const hash = new Bun.CryptoHasher("sha256").update(STYLE).digest("base64");
  const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return { html, contentSecurityPolicy };
}

const NEEDS: Readonly<Record<string, string>> = {
  admin: "the admin key, or an API key made with admin",
  token: "a token with a grant for what is asked for",
  device: "the device's own token, or the admin key",
  registration: "nothing unless registration is switched off, then the admin key",
  anybody: "nothing",
};

function section(path: string, method: string, operation: Operation): string {
  const { operationId, summary, description = "", parameters, requestBody, responses } = operation;
  const needs =
    NEEDS[operation["x-needs"]] ?? `a token with the grant ${operation["x-needs"]} for the channel`;
  return [
    `<h2 id="${operationId}"><span class="method">${method}</span> <code>${escapeHtml(path)}</code></h2>`,
    `<p><strong>${escapeHtml(summary)}.</strong> ${prose(description)}</p><p class="note">Needs ${escapeHtml(needs)}.</p>`,
    parameters.length === 0 ? "" : rows(["parameter", "in", "", ""], parameters.map(parameterRow)),
    requestBody === undefined ? "" : bodies(requestBody.content),
    rows(["answer", "", ""], Object.entries(responses).map(answerRow)),
  ].join("\n");
}

function parameterRow({ name, in: place, required, description = "", schema }: Parameter): string[] {
  return [code(name), place, typeOf(schema), `${required ? "" : "optional. "}${prose(description)}`];
}

function bodies(content: Json): string {
  return Object.entries(content as Record<string, { schema: Json }>)
    .map(([type, { schema }]) => {
      const about = prose(String(schema["description"] ?? ""));
      return `<p>Body <code>${escapeHtml(type)}</code>: ${typeOf(schema)} ${about}</p>`;
    })
    .join("\n");
}

function answerRow([status, answer]: [string, Json]): string[] {
  const content = Object.entries((answer["content"] ?? {}) as Record<string, { schema?: Json }>);
  const types = content.map(([type, { schema }]) => (schema === undefined ? code(type) : typeOf(schema)));
  return [code(status), types.join(", "), prose(String(answer["description"]))];
}

function fields(schema: Json): string {
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Json>);
  const required = new Set((schema["required"] ?? []) as string[]);
  const list = properties.map(([name, each]) => {
    const optional = required.has(name) ? "" : "optional. ";
    return [code(name), typeOf(each), optional + prose(String(each["description"] ?? ""))];
  });
  return rows(["field", "", ""], list);
}

function typeOf(schema: Json): string {
  const { $ref, type, enum: values, items, minimum, maximum, anyOf } = schema;
  if (typeof $ref === "string") {
    const name = $ref.split("/").at(-1) ?? "";
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (Array.isArray(values)) return values.map((value) => code(JSON.stringify(value))).join(" ");
  if (Array.isArray(anyOf)) return anyOf.map((each) => typeOf(each as Json)).join(" or ");
  if (type === "array") return `list of ${typeOf((items ?? {}) as Json)}`;
  const range = minimum !== undefined && maximum !== undefined ? `, ${minimum} to ${maximum}` : "";
  return escapeHtml((Array.isArray(type) ? type.join(" or ") : String(type ?? "any")) + range);
}

function rows(head: readonly string[], list: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}>${cell}</${tag}>`).join("");
  const body = list.map((row) => `<tr>${cells("td", row)}</tr>`).join("");
  return `<table><thead><tr>${cells("th", head)}</tr></thead><tbody>${body}</tbody></table>`;
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`;
}

/** What stands between backticks is code. */
function prose(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
