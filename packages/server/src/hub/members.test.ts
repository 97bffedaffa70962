import { expect, test } from "bun:test";
import fc from "fast-check";
import { Members } from "./members.ts";
import type { Session } from "./session.ts";

/** They are only told apart. */
const sessions = Array.from({ length: 4 }, (_, id) => ({ id }) as unknown as Session);

test("it holds what a set would hold", () => {
  const deed = fc.record({
    does: fc.constantFrom("add" as const, "delete" as const),
    of: fc.constantFrom(...sessions),
  });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
      const members = new Members();
      const set = new Set<Session>();
      for (const { does, of } of deeds) {
        const isChange = does === "add" ? !set.has(of) : set.has(of);
        set[does](of);
        expect(members[does](of)).toBe(isChange);
        expect(members.size).toBe(set.size);
        expect(new Set(members)).toEqual(set);
        expect([...members]).toHaveLength(set.size);
      }
    }),
  );
});
