/** Where programs and people read what the API is: `/openapi.json` and `/reference`. */
import { type Described, describe } from "./openapi.ts";
import { referencePage } from "./reference.ts";

/** Answers a request for one of the two; `undefined` for any other path. */
export type ServeDescription = (path: string) => Response | undefined;

export function serveDescription(routes: readonly Described[], version: string): ServeDescription {
  const api = describe(routes, version);
  const { html, contentSecurityPolicy } = referencePage(api);
  const text = JSON.stringify(api, null, 2);
  return (path) => {
    if (path === "/openapi.json") {
      // Public, so that tools on other origins may read it.
      const headers = {
        "content-type": "application/json; charset=utf-8",
        "access-control-allow-origin": "*",
      };
      return new Response(text, { headers });
    }
    if (path !== "/reference") return undefined;
    return new Response(html, {
      headers: {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": contentSecurityPolicy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      },
    });
  };
}
