/** API keys: tokens that an operator makes for programs. */
import { z } from "zod";
import type { Access } from "../../hub/access.ts";
import { type ApiKey, type ApiKeys, KeyRefused, keyName } from "../../hub/api-keys.ts";
import { grantFields } from "../../hub/grants.ts";
import type { Hub } from "../../hub/hub.ts";
import { json, notFound, pageOf, Refusal, type Route, route } from "./route.ts";
import { pageQuery } from "./schemas.ts";

/** RFC 3339 knows no later one. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const time = z.iso.datetime().meta({ example: "2026-11-24T09:30:00.000Z" });
const about = {
  name: keyName.meta({ description: "for people", example: "backup script" }),
  ...grantFields,
  admin: z.boolean().optional().meta({ description: "everything: all channels, tokens, backups" }),
};
const newToken = z
  .strictObject({
    ...about,
    expiresAt: z.iso
      .datetime({ offset: true })
      .refine((text) => Date.parse(text) <= LAST_MS, "expected a time before the year 10000")
      .optional()
      .meta({
        description:
          "unless given, it is valid until it is revoked; no token makes one that is valid longer than itself",
        example: "2036-11-24T09:30:00Z",
      }),
  })
  .meta({ id: "NewToken" });
const token = z.object({
  id: z.string(),
  ...about,
  createdAt: time,
  expiresAt: time.optional(),
  lastUsedAt: time.optional(),
});
const made = token
  .extend({ token: z.string().meta({ description: "shown this once" }) })
  .meta({ id: "MadeToken" });
const tokens = z
  .object({
    tokens: z.array(token.meta({ id: "Token" })),
    next: z
      .string()
      .nullable()
      .meta({ description: "the `after` of the next page; null when there is none" }),
  })
  .meta({ id: "Tokens" });

export function tokenRoutes(hub: Hub, apiKeys: ApiKeys): Route[] {
  const list = route(
    {
      method: "get",
      path: "/v1/tokens",
      needs: "admin",
      summary: "List tokens",
      description:
        "What each may do and when it was used last; not the tokens themselves, which nobody keeps.",
      query: pageQuery,
      answers: { 200: { description: "a page, by id", schema: tokens } },
    },
    ({ query: { after = "", limit = 100 } }) => {
      const keys = apiKeys.list(after, limit + 1);
      const { page, next } = pageOf(keys, limit, ({ id }) => id);
      return json(200, { tokens: page.map(told), next });
    },
  );
  const create = route(
    {
      method: "post",
      path: "/v1/tokens",
      needs: "admin",
      summary: "Make a token",
      description:
        "For a program, with grants by patterns of channel names in which `*` stands for any characters. What is not granted is refused.",
      body: newToken,
      answers: {
        201: { description: "made; the token is shown this once", schema: made },
        409: { description: "there are 10,000 already" },
      },
    },
    async ({ body, access }) => {
      endsInTimeOrThrow(access, body?.expiresAt);
      const { key, token } = await make(apiKeys, body ?? { name: "" });
      return json(201, { ...told(key), token });
    },
  );
  const revoke = route(
    {
      method: "delete",
      path: "/v1/tokens/{id}",
      needs: "admin",
      summary: "Revoke a token",
      description: "It is refused from now on, and who is connected by it is closed with 4500.",
      params: z.strictObject({ id: z.string().max(100) }),
      answers: { 204: { description: "revoked" }, 404: { description: "there is none of this id" } },
    },
    async ({ params: { id } }) => {
      if (!(await apiKeys.revoke(id))) throw notFound(`there is no token ${id}`);
      hub.withdraw(`key:${id}`);
      return new Response(null, { status: 204 });
    },
  );
  return [list, create, revoke];
}

/**
 * What was given for a time would be kept for ever by whoever makes another key with it.
 * @throws {Refusal} if the key would be valid longer than `access`, which makes it.
 */
function endsInTimeOrThrow({ expiresAtMs }: Access, wanted: string | undefined): void {
  if (expiresAtMs === undefined) return;
  if (wanted !== undefined && Date.parse(wanted) <= expiresAtMs) return;
  const end = new Date(expiresAtMs).toISOString();
  throw new Refusal(400, "bad_field", `expiresAt: at the latest ${end}, when the token that makes it ends`);
}

/** @throws {Refusal} by rejection. */
async function make(apiKeys: ApiKeys, { expiresAt, ...rest }: z.output<typeof newToken>) {
  try {
    return await apiKeys.create({
      ...rest,
      ...(expiresAt !== undefined && { expiresAtMs: Date.parse(expiresAt) }),
    });
  } catch (error) {
    if (!(error instanceof KeyRefused)) throw error;
    if (error.code === "over") throw new Refusal(400, "bad_field", `expiresAt: ${error.message}`);
    throw new Refusal(409, "too_many_tokens", error.message);
  }
}

/** What may be told of a key. */
function told({ createdAtMs, expiresAtMs, lastUsedAtMs, ...key }: ApiKey) {
  return {
    ...key,
    createdAt: new Date(createdAtMs).toISOString(),
    ...(expiresAtMs !== undefined && { expiresAt: new Date(expiresAtMs).toISOString() }),
    ...(lastUsedAtMs !== undefined && { lastUsedAt: new Date(lastUsedAtMs).toISOString() }),
  };
}
