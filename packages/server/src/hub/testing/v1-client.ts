/** A client of `carillon.v1` made of bare frames. */
import { ADMIN_KEY, type FakeClient, settle, type setUpHub } from "./hub-set-up.ts";

export type Fields = Record<string, unknown>;
type Hub = Awaited<ReturnType<typeof setUpHub>>;

/** Says something and resolves to all that comes back. */
export async function say({ session, outbound }: FakeClient, ...commands: Fields[]): Promise<Fields[]> {
  const before = outbound.frames.length;
  for (const command of commands) session.receive(JSON.stringify(command));
  await settle();
  return outbound.frames.slice(before).map((frame) => JSON.parse(frame));
}

export async function connected(
  { connectV1 }: Hub,
  fields: Fields = { token: ADMIN_KEY },
): Promise<FakeClient> {
  const client = connectV1();
  await say(client, { type: "connect", id: 1, ...fields });
  return client;
}

export const received = ({ outbound }: FakeClient) =>
  outbound.frames
    .map((frame) => JSON.parse(frame))
    .flatMap((frame) =>
      frame.type === "page" ? frame.publications : frame.type === "publication" ? [frame.publication] : [],
    )
    .map(({ data }) => data);
