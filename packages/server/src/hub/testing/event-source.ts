/** What a browser makes of a stream: the parser of WHATWG HTML, section 9.2.6, line by line as it is written there. */

export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

export class EventSourceParser {
  readonly events: StreamEvent[] = [];
  /** What the browser would send as `Last-Event-ID`. */
  lastEventId = "";
  retryMs: number | undefined;
  comments = 0;
  #rest = "";
  #data = "";
  #type = "";
  #id = "";

  /** Takes a piece of the stream, which may end anywhere but between a `\r` and its `\n`. */
  take(text: string): this {
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") this.#dispatch();
      else this.#field(line);
    }
    return this;
  }

  /** The data of all events of a type. */
  data(type = "message"): readonly string[] {
    return this.events.filter((event) => event.type === type).map(({ data }) => data);
  }

  #field(line: string): void {
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "") this.comments += 1;
    else if (name === "data") this.#data += `${value}\n`;
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  #dispatch(): void {
    this.lastEventId = this.#id;
    if (this.#data !== "") {
      const data = this.#data.slice(0, -1);
      this.events.push({ type: this.#type || "message", data, lastEventId: this.lastEventId });
    }
    this.#data = "";
    this.#type = "";
  }
}
