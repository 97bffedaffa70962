import { expect, test } from "bun:test";
import { START } from "@carillon/protocol/position";
import { further, Progress } from "./progress.ts";
import { publication, TIME } from "./testing/fake-server.ts";

test("the ids of the last 1,000 publications are remembered, and no more", () => {
  const progress = new Progress();
  const take = (n: number) => progress.take({ id: `p${n}`, time: TIME, data: n }, false);
  for (let n = 0; n <= 1_000; n++) expect(take(n)).toBe("new");
  expect([take(1), take(1_000), take(0)]).toEqual(["seen", "seen", "new"]);
});

test("a publication moves its own lane, and the end of a page all of them", () => {
  const progress = new Progress();
  progress.cover(9);
  expect(progress.position).toBeUndefined();
  progress.position = { epoch: "e", offsets: START };
  expect(progress.take(publication(1), false)).toBe("new");
  expect(progress.take(publication(2, { urgency: "high", prev: 0 }), false)).toBe("new");
  expect(progress.position).toEqual({ epoch: "e", offsets: [2, 1, 0] });
  progress.cover(1);
  expect(progress.position).toEqual({ epoch: "e", offsets: [2, 1, 1] });
});

test("the further position is taken lane by lane within one log; another log's is always the later", () => {
  const later = { epoch: "e", offsets: [1, 5, 0] } as const;
  expect(further({ epoch: "e", offsets: [3, 4, 0] }, later)).toEqual({ epoch: "e", offsets: [3, 5, 0] });
  for (const earlier of [undefined, { epoch: "d", offsets: [9, 9, 9] } as const]) {
    expect(further(earlier, later)).toEqual(later);
  }
});
