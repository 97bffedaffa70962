/** The part of the suite that is about one publication: found by its id, for some receivers alone, taken out. */
import { expect } from "bun:test";
import { type On, readAll, request, together } from "./bed.ts";

export function describeSingle(on: On): void {
  on("a publication is found by its id as it was announced", async ({ engine, item, commits }) => {
    const more = { data: '"ü"', meta: '{"ttl":9}', expiresAtMs: 4e12, target: "tag:a & !(tag:b)" };
    await engine.publish([item(), item({ channel: "other" }), item(more)]);
    await engine.publish([item({ stored: false, id: "passing" }), item({ lane: 0 })]);
    for (const each of commits.flat().filter(({ offset }) => offset > 0)) {
      expect(await engine.publication(each.id)).toStrictEqual(each);
    }
    for (const id of ["passing", "p0", "p", "p99", "", "~"]) {
      expect(await engine.publication(id)).toBeUndefined();
    }
  });

  on("a publication is found among many, some of them gone", async ({ engine, item, commits, clock }) => {
    // The suite's ids do not ascend, p10 after p9: the order breaks four times.
    const each = (count: number) =>
      Array.from({ length: count }, (_, index) =>
        item({ channel: `c${index % 7}`, ...(index % 3 === 0 && { collapseKey: "k" }) }),
      );
    expect(await engine.publication("p1")).toBeUndefined();
    await engine.publish(each(700));
    await engine.publish(each(800));
    const superseded = new Set<string>();
    for (const channel of ["c0", "c1", "c2", "c3", "c4", "c5", "c6"]) {
      const page = await readAll(engine, channel, request(clock, { upTo: 300 }));
      const there = new Set(page.publications.map(({ id }) => id));
      for (const one of commits.flat()) {
        if (one.channel === channel && !there.has(one.id)) superseded.add(one.id);
      }
    }
    expect(superseded.size).toBeGreaterThan(400);
    for (const one of commits.flat()) {
      expect(await engine.publication(one.id)).toEqual(superseded.has(one.id) ? undefined : one);
    }
  });

  on(
    "whom it is for is kept, and told to nobody but the server",
    async ({ engine, item, commits, clock }) => {
      await engine.publish([item({ target: "tag:a" }), item(), item({ target: "tag:ü", stored: false })]);
      expect(commits.flat().map(({ target }) => target)).toEqual(["tag:a", undefined, "tag:ü"]);
      const { publications } = await engine.read("news", request(clock));
      expect(publications).toStrictEqual(commits.flat().slice(0, 2) as never);
      expect(Object.keys(publications[1] ?? {})).not.toContain("target");
      // Neither its meta nor its bytes.
      expect(await engine.channel("news")).toMatchObject({ bytes: 2 });
    },
  );

  on("one is withdrawn as if it had been superseded", async ({ engine, item, clock }) => {
    await engine.publish([item(), item({ collapseKey: "k", data: '"long"' }), item(), item()]);
    expect(await engine.withdraw("news", 2)).toBe(true);
    expect(await engine.withdraw("news", 2)).toBe(false);
    const missing: readonly [string, number][] = [
      ["news", 0],
      ["news", 5],
      ["void", 1],
      ["new", 1],
    ];
    for (const [channel, offset] of missing) expect(await engine.withdraw(channel, offset)).toBe(false);
    expect(await engine.publication("p2")).toBeUndefined();
    const { publications, gaps } = await readAll(engine, "news", request(clock, { upTo: 4 }));
    expect([publications.map(({ offset }) => offset), gaps]).toEqual([[1, 3, 4], []]);
    expect(await engine.channel("news")).toMatchObject({ count: 3, bytes: 3, offset: 4 });
    expect(await engine.withdraw("news", 4)).toBe(true);
    const [next] = await engine.publish([item({ collapseKey: "k" })]);
    expect(next?.offset).toBe(5);
    expect(await engine.channel("news")).toMatchObject({ count: 3, bytes: 3, offset: 5 });
    for (const offset of [1, 3, 5]) expect(await engine.withdraw("news", offset)).toBe(true);
    expect(await engine.channel("news")).toMatchObject({ count: 0, bytes: 0, offset: 5 });
    expect(await engine.read("news", request(clock, { after: together(1), upTo: 5 }))).toMatchObject({
      ...{ publications: [], to: 5 },
    });
  });

  on(
    "a withdrawn one does not count against the retention",
    async ({ engine, item, clock, settle }) => {
      await engine.publish([item(), item(), item()]);
      await engine.withdraw("news", 2);
      await engine.publish([item(), item()]);
      await settle(async () => (await engine.channel("news"))?.count === 3);
      const { publications, gap } = await engine.read("news", request(clock, { upTo: 5 }));
      expect([publications.map(({ offset }) => offset), gap]).toEqual([[3, 4, 5], { from: 1, to: 1 }]);
    },
    { maxCount: 3 },
  );
}
