/** Small helpers around the document. */

/** The element with this id, which the page's HTML is sure to have. */
export function byId<Type extends Element = HTMLElement>(id: string): Type {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element as Element as Type;
}

/** `yyyy-MM-dd HH:mm:ss` in the browser's zone. */
export function timestamp(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Puts a time-stamped entry first in `list` and drops the oldest past `most`, so that a page left open stays small. */
export function prepend(list: Element, at: string, text: string, most: number): HTMLElement {
  const time = document.createElement("time");
  time.textContent = at;
  const body = document.createElement("span");
  body.textContent = text;
  const item = document.createElement("li");
  item.append(time, body);
  list.prepend(item);
  while (list.childElementCount > most) list.lastElementChild?.remove();
  return item;
}
