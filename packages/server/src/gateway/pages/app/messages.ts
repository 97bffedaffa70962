/** The list of messages. */
import type { Json } from "@carillon/client";
import { byId, prepend, timestamp } from "./dom.ts";

const MOST_MESSAGES = 200;

let received = 0;

/** Shows a message; `at` is when the server took it, which for one that was missed is a while ago. */
export function showMessage(data: Json, time: string): HTMLElement {
  const message = typeof data === "string" ? data : JSON.stringify(data);
  const item = prepend(byId("messages"), timestamp(new Date(time)), message, MOST_MESSAGES);
  item.dataset["message"] = message;
  received += 1;
  showCount();
  return item;
}

/** Shows one of the inbox, and for whom it is; under its id it can be taken back. */
export function showInboxMessage(data: Json, time: string, id: string, forWhom: string): void {
  const item = showMessage(data, time);
  item.dataset["id"] = id;
  const mark = document.createElement("span");
  mark.className = "for";
  mark.textContent = forWhom;
  item.append(mark);
}

/** Takes a message back; `false` if it is not shown. */
export function hideMessage(id: string): boolean {
  const item = document.querySelector(`[data-id="${CSS.escape(id)}"]`);
  if (item === null) return false;
  item.remove();
  received -= 1;
  showCount();
  return true;
}

/** A line in the place of what cannot be had any more. */
export function showMissing(at: string, text: string): void {
  prepend(byId("messages"), at, text, MOST_MESSAGES).classList.add("gap");
  byId("empty").hidden = true;
}

function showCount(): void {
  byId("count").textContent = received === 0 ? "" : String(received);
  byId("empty").hidden = byId("messages").childElementCount > 0;
}
