/** What is kept of a device, as one JSON object that is written as it is read: it may be larger than the memory. */
import { encodePublication } from "@carillon/protocol/json";
import { encodePosition } from "@carillon/protocol/position";
import type { DeviceExport } from "../../hub/devices/devices.ts";
import { type ReceiptTimes, receiptTimes, subscriptionsOf } from "./device-view.ts";

/** @param view what is told of the device itself. */
export function exportStream(all: DeviceExport, view: object): ReadableStream<Uint8Array<ArrayBuffer>> {
  const pieces = piecesOf(all, view);
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(new TextEncoder().encode(value));
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}

async function* piecesOf(all: DeviceExport, view: object): AsyncGenerator<string, undefined> {
  const { device, registeredBy, positions } = all;
  const { webPush, unifiedPush } = device;
  // To whom it all belongs, its keys are told, too.
  const known = { ...view, webPush, unifiedPush, registeredBy };
  const stands = [...positions].map(([channel, position]) => ({ channel, ...encodePosition(position) }));
  yield `{"device":${JSON.stringify(known)},"subscriptions":${JSON.stringify(subscriptionsOf(device))}`;
  yield `,"positions":${JSON.stringify(stands)},"messages":[`;
  yield* listed(all.messages(), encodePublication);
  yield `],"receipts":[`;
  yield* listed(all.receipts(), ({ id, data }) => {
    const publication = id.slice(id.indexOf(" ") + 1);
    return JSON.stringify({ publication, ...receiptTimes(JSON.parse(data) as ReceiptTimes) });
  });
  yield "]}";
  return undefined;
}

async function* listed<Item>(
  pages: AsyncGenerator<readonly Item[]>,
  encode: (item: Item) => string,
): AsyncGenerator<string> {
  let isFirst = true;
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield `${isFirst ? "" : ","}${page.map(encode).join(",")}`;
    isFirst = false;
  }
}
