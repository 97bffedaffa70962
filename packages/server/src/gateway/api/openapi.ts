/** `/openapi.json`: the routes as OpenAPI 3.1, from the schemas that check the requests. */
import { z } from "zod";
import type { Answer, Route } from "./route.ts";
import { problem } from "./schemas.ts";

type Json = Record<string, unknown>;

export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly security: readonly Json[];
  readonly components: { readonly schemas: Json; readonly securitySchemes: Json };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /**
   * What it takes to be let in: a grant in the channel of the path, `admin`, `token` for any, `device` for the device's own,
   * `registration` for what it takes to register one, or `anybody`.
   */
  readonly "x-needs": string;
  /** Where no token is needed. */
  readonly security?: readonly Json[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Json };
  readonly responses: Readonly<Record<string, Json>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Json;
}

/** A route as far as it is described. */
export type Described = Pick<Route, "description">;

const COMMON: Readonly<Record<number, Answer>> = {
  400: { description: "a field, a parameter or a header is wrong; `detail` names it" },
  401: { description: "a token is needed, or this one is not valid" },
  403: { description: "the token does not allow it" },
  413: { description: "the body is over the server's limit, 8 MB unless set" },
  503: { description: "the log cannot be written or read now; nothing was done" },
};

const ONLY_JSON: Answer = { description: "the body is not `application/json`" };

const DESCRIPTION =
  "Publish, read and watch channels, and reach devices. Authorize with the admin key, an API key, a JWT or a device's token. Errors are RFC 9457 problems with a stable `code`; a field that is wrong is named in `detail`, and unknown ones are refused. Times are RFC 3339.";

/** Schemas that have a name are put into `named`, and referred to. */
function schemaOf(schema: z.ZodType, io: "input" | "output", named: Json): Json {
  const {
    $schema: _,
    $defs,
    ...rest
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      // What a person reads and a program sends is the text before it is turned into a number.
      const meta = z.globalRegistry.get(zodSchema);
      if (meta?.["type"] !== undefined || jsonSchema.format !== undefined) delete jsonSchema.pattern;
    },
  }) as Json & { $defs?: Json };
  Object.assign(named, rename($defs ?? {}));
  const { id, ...inline } = rename(rest);
  if (typeof id !== "string") return inline;
  named[id] = inline;
  return { $ref: `#/components/schemas/${id}` };
}

/** References into `$defs` are to `components`. */
function rename(value: Json): Json {
  return JSON.parse(JSON.stringify(value).replaceAll("#/$defs/", "#/components/schemas/"));
}

function parametersOf(schema: z.ZodObject | undefined, place: Parameter["in"], named: Json): Parameter[] {
  if (schema === undefined) return [];
  return Object.entries(schema.shape).map(([name, each]) => {
    const { description, ...rest } = schemaOf(each as z.ZodType, "input", named);
    const required = place === "path" || !(each as z.ZodType).safeParse(undefined).success;
    return {
      name,
      in: place,
      required,
      ...(typeof description === "string" && { description }),
      schema: rest,
    };
  });
}

function bodyOf({ body, rawBody }: Route["description"], named: Json): Pick<Operation, "requestBody"> {
  if (body === undefined && rawBody === undefined) return {};
  const content: Json = {};
  if (body !== undefined) content["application/json"] = { schema: schemaOf(body, "input", named) };
  if (rawBody?.kind === "text") {
    content["text/plain"] = { schema: { type: "string", description: rawBody.description } };
  }
  if (rawBody?.kind === "bytes") {
    content["application/octet-stream"] = { schema: { type: "string", format: "binary" } };
  }
  return { requestBody: { required: rawBody?.kind !== "text", content } };
}

function responseOf(status: number, { description, schema, contentType }: Answer, named: Json): Json {
  if (status >= 400) {
    const content = { "application/problem+json": { schema: schemaOf(problem, "output", named) } };
    return { description, content };
  }
  if (schema !== undefined) {
    return { description, content: { "application/json": { schema: schemaOf(schema, "output", named) } } };
  }
  return { description, ...(contentType !== undefined && { content: { [contentType]: {} } }) };
}

function operationOf(route: Described, named: Json): Operation {
  const { method, path, needs, summary, description, params, query, headers, answers } = route.description;
  const takesOnlyJson = route.description.body !== undefined && route.description.rawBody === undefined;
  const responses = Object.entries({ ...COMMON, ...(takesOnlyJson && { 415: ONLY_JSON }), ...answers });
  return {
    operationId: `${method}${path.replace(/[^A-Za-z0-9]+(.?)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    ...(description !== undefined && { description }),
    "x-needs": needs,
    ...((needs === "anybody" || needs === "registration") && { security: [{}, { bearer: [] }] }),
    parameters: [
      ...parametersOf(params, "path", named),
      ...parametersOf(query, "query", named),
      ...parametersOf(headers, "header", named),
    ],
    ...bodyOf(route.description, named),
    responses: Object.fromEntries(
      responses.map(([status, answer]) => [status, responseOf(Number(status), answer, named)]),
    ),
  };
}

/** The description of `routes`. */
export function describe(routes: readonly Described[], version: string): OpenApi {
  const schemas: Json = {};
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const { method, path } = route.description;
    paths[path] = { ...paths[path], [method]: operationOf(route, schemas) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Carillon", version, description: DESCRIPTION },
    security: [{ bearer: [] }],
    components: { schemas, securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
    paths,
  };
}
