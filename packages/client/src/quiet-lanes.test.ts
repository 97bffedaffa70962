/**
 * Quiet hours, seen from the client: a server that holds lanes back by chance, cuts the connection, switches push off, and
 * brings the rest later. Whatever it does, the app gets each publication that was for it once, in the order of its lane.
 */
import { expect, test } from "bun:test";
import type { Publication, Push } from "@carillon/protocol/frames";
import { laneOf, type Offsets, together, URGENCIES } from "@carillon/protocol/position";
import fc from "fast-check";
import { FakeServer, publication } from "./testing/fake-server.ts";
import { listen } from "./testing/listening-app.ts";

/** A log with lanes, and a client that may be held back in all but the first. */
class LaneServer extends FakeServer {
  readonly log: Publication[] = [];
  isQuiet = false;
  isOff = false;
  /** Up to where it has been written to the client. */
  #written: Offsets = together(0);
  /** What was published, or still held back, while push was off. */
  readonly unwanted = new Set<number>();

  constructor() {
    super({
      subscribe: ({ channel, position }) => {
        const said = position === undefined ? together(this.top) : position.offset;
        const from: Offsets = this.isOff
          ? together(this.top)
          : typeof said === "number"
            ? together(said)
            : said;
        this.#written = from;
        // The pages follow the answer.
        void Promise.resolve().then(() => this.#bring());
        return {
          type: "subscribed",
          channel,
          position: { epoch: this.epoch, offset: this.#end() },
          ...(this.isOff ? { push: false } : { from: { epoch: this.epoch, offset: from } }),
        };
      },
    });
  }

  /** Where the client stands once it has got all that it may have now. */
  #end(): Offsets {
    const [, normal, low] = this.#written;
    return this.isQuiet ? [this.top, normal, low] : together(this.top);
  }

  async add(urgency: (typeof URGENCIES)[number]): Promise<void> {
    const lane = laneOf(urgency);
    const before = this.log.findLast((each) => laneOf(each.urgency ?? "normal") === lane);
    this.top += 1;
    const added = publication(this.top, { prev: before?.offset ?? 0, urgency });
    this.log.push(added);
    if (this.isOff) this.unwanted.add(this.top);
    if (this.isOff || (this.isQuiet && lane > 0)) return;
    this.#written = this.#written.with(lane, this.top) as unknown as Offsets;
    await this.publish(added);
  }

  async quiet(isQuiet: boolean): Promise<void> {
    this.isQuiet = isQuiet;
    this.#bring();
    await this.settle();
  }

  async off(isOff: boolean): Promise<void> {
    this.isOff = isOff;
    // What was held back is not wanted any more either.
    if (isOff) for (const { offset = 0 } of this.#heldBack(together(this.top))) this.unwanted.add(offset);
    this.#written = together(this.top);
    await this.push({ type: "switch", channel: "news", push: !isOff });
    if (!isOff) await this.push(this.#page([], this.top));
  }

  /** What is held back no longer, in pages of three. */
  #bring(): void {
    if (this.isOff) return;
    const end = this.#end();
    for (let isDone = false; !isDone; ) {
      const due = this.#heldBack(end);
      isDone = due.length <= 3;
      const to = isDone ? this.top : (due[2]?.offset ?? 0);
      this.#written = this.#written.map((offset, lane) =>
        this.isQuiet && lane > 0 ? offset : Math.max(offset, to),
      ) as unknown as Offsets;
      this.platform.socket.push(JSON.stringify(this.#page(due.slice(0, 3), this.isQuiet ? [to, 0, 0] : to)));
    }
  }

  /** What has not been written, up to `end`. */
  #heldBack(end: Offsets): Publication[] {
    return this.log.filter(({ offset = 0, urgency = "normal" }) => {
      const lane = laneOf(urgency);
      return offset > this.#written[lane] && offset <= end[lane];
    });
  }

  #page(publications: readonly Publication[], to: number | Offsets): Push {
    return { type: "page", channel: "news", epoch: this.epoch, publications, to, more: false };
  }
}

type Deed =
  | { readonly deed: "publish"; readonly urgency: (typeof URGENCIES)[number] }
  | { readonly deed: "quiet" | "off" | "cut" };

const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ deed: fc.constant("publish" as const), urgency: fc.constantFrom(...URGENCIES) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ deed: fc.constantFrom("quiet" as const, "off" as const, "cut" as const) }),
  },
);

test("whatever is held back comes later, once and in the order of its lane", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 60 }), async (deeds) => {
      const server = new LaneServer();
      const { got, news, errors } = await listen({ server });
      for (const each of deeds) {
        if (each.deed === "publish") await server.add(each.urgency);
        else if (each.deed === "quiet") await server.quiet(!server.isQuiet);
        else if (each.deed === "off") await server.off(!server.isOff);
        else {
          await server.end();
          await server.pass(20_000);
        }
      }
      if (server.isOff) await server.off(false);
      await server.quiet(false);
      await server.pass(2_000);
      expect(errors).toEqual([]);
      expect(news.state).toBe("live");
      expect(news.position?.offsets).toEqual(together(server.top));
      for (const lane of [0, 1, 2]) {
        const ofLane = (offset: number) => laneOf(server.log[offset - 1]?.urgency ?? "normal") === lane;
        const wanted = server.log
          .map(({ offset = 0 }) => offset)
          .filter((offset) => !server.unwanted.has(offset));
        expect((got as number[]).filter(ofLane)).toEqual(wanted.filter(ofLane));
      }
      expect(server.asked("ack").at(-1)?.position.offset ?? 0).toBe(server.top);
    }),
    { numRuns: 300 },
  );
});
