/**
 * Every route, fed from its own description: what fits, what nearly fits, and what does not. Whatever comes in, the answer is
 * one that the description names, it looks as the description says, and nothing fails inside.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { z } from "zod";
import { describe as describeApi, type Operation, type Parameter } from "./openapi.ts";
import { problem } from "./schemas.ts";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";
import { fitting, nearly } from "./testing/schema-arbitrary.ts";

const { routes } = await setUpApi();
const api = JSON.parse(JSON.stringify(describeApi(routes, "0.0.0")));
const schemas = api.components.schemas;
const operations = Object.entries<Record<string, Operation>>(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);
/** Answered before the route is looked at, or by every route. */
const EVERYWHERE = [400, 401, 403, 404, 405, 503];

/** Letters that may not stand in a header make no request; everything else does. */
const headerText = fc.string({ unit: "grapheme-ascii" }).filter((text) => /^[\x20-\x7e]*$/.test(text));

/** Ids that there are, by the name of the parameter: nobody would guess them. */
type Known = Readonly<Record<string, string>>;

function parameter({ name, schema, in: place }: Parameter, known: Known): fc.Arbitrary<string | undefined> {
  const { [name]: there } = known;
  const fits = fitting(schema, schemas).map(String);
  const good = there === undefined ? fits : fc.oneof(fc.constant(there), fits);
  const bad = place === "header" ? headerText : fc.string({ unit: "binary", maxLength: 300 });
  return fc.oneof({ weight: 8, arbitrary: good }, bad, { weight: 2, arbitrary: fc.constant(undefined) });
}

interface Asked {
  readonly address: string;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
}

function requests(path: string, { parameters, requestBody }: Operation, known: Known): fc.Arbitrary<Asked> {
  const values = fc.record(Object.fromEntries(parameters.map((each) => [each.name, parameter(each, known)])));
  const content = Object.entries((requestBody?.content ?? {}) as Record<string, { schema: object }>);
  const bodies = content.map(([type, { schema }]) =>
    nearly(schema as never, schemas).map((value) => ({
      type,
      text: typeof value === "string" && type !== "application/json" ? value : JSON.stringify(value),
    })),
  );
  const garbage = fc.record({
    type: fc.constantFrom("application/json", "text/plain", "x/y", ""),
    text: fc.string({ unit: "binary" }),
  });
  const body =
    requestBody === undefined
      ? fc.constant(undefined)
      : fc.oneof({ weight: 4, arbitrary: fc.oneof(...bodies) }, garbage);
  const asked = fc.tuple(values, body).map(([given, sent]) => {
    const query = new URLSearchParams();
    const headers: Record<string, string> = {};
    let address = path;
    for (const { name, in: place } of parameters) {
      const value = given[name];
      if (place === "path")
        address = address.replace(`{${name}}`, encodeURIComponent(toWellFormed(value ?? "")));
      else if (value !== undefined && place === "query") query.set(name, value);
      else if (value !== undefined) headers[name] = value.replace(/[^\x20-\x7e]/g, "?");
    }
    if (sent !== undefined && sent.type !== "") headers["content-type"] = sent.type;
    return { address: `${address}?${query}`, headers, body: sent?.text };
  });
  // A part that is two dots leads to another route.
  const depth = path.split("/").length;
  return asked.filter(
    ({ address }) => URL.parse(address, "http://push.example")?.pathname.split("/").length === depth,
  );
}

function toWellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

describe.each(operations)("$method $path", ({ path, method, operation }) => {
  test("answers as it says, whatever comes", async () => {
    const { request, call } = await setUpApi();
    const { id: device } = (await call("POST", "/v1/devices", {})).body;
    const { id: message } = (await call("POST", `/v1/devices/${device}/messages`, { data: "x" })).body;
    const route = routes.find(
      ({ description }) => description.method === method && description.path === path,
    );
    let good = 0;
    await fc.assert(
      fc.asyncProperty(requests(path, operation, { device, message }), async ({ address, headers, body }) => {
        const response = await request(method.toUpperCase(), address, {
          token: ADMIN_KEY,
          headers,
          ...(body !== undefined && { body }),
        });
        const { status } = response;
        const text = await response.text();
        const documented = [...EVERYWHERE, ...Object.keys(operation.responses).map(Number)];
        expect(documented).toContain(status);
        if (status >= 400) {
          expect(response.headers.get("content-type")).toBe("application/problem+json");
          const told = problem.parse(JSON.parse(text));
          expect(told.status).toBe(status);
          expect(told.code).toMatch(/^[a-z_]+$/);
          expect(told.detail).not.toContain("\n");
          return;
        }
        good += 1;
        const schema = route?.description.answers[status]?.schema as z.ZodType | undefined;
        if (schema !== undefined) schema.parse(JSON.parse(text));
      }),
      { numRuns: 300 },
    );
    // A generator that makes only what is refused would prove nothing.
    const answersHere = Object.keys(operation.responses).some((status) => Number(status) < 300);
    if (answersHere && !NEVER_GOOD.has(`${method} ${path}`)) expect(good).toBeGreaterThan(0);
  });
});

/** On the memory engine, or for want of a session or a token that a guess would name. */
const NEVER_GOOD = new Set([
  "get /v1/backup",
  "post /v1/restore",
  "put /v1/restore/{restore}",
  "post /v1/restore/{restore}/apply",
  "delete /v1/sessions/{session}",
  "delete /v1/tokens/{id}",
  "get /v1/channels/{channel}",
  "get /v1/schedules/{schedule}",
  "patch /v1/schedules/{schedule}",
  "delete /v1/schedules/{schedule}",
  "post /v1/schedules/{schedule}/run",
  "get /v1/schedules/{schedule}/runs",
]);
