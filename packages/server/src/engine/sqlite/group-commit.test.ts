/** What those who measure are told of commits, with a writer that answers when the test says so. */
import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { CommitTaken, NewPublication } from "../engine.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Commit, Committed } from "./messages.ts";
import type { WriterLink } from "./writer-link.ts";

function setUp() {
  const clock = new VirtualClock();
  const measured: CommitTaken[] = [];
  const asked: { readonly request: Commit; readonly answer: (fields?: Partial<Committed>) => void }[] = [];
  const request = (request: Commit) =>
    new Promise<Committed>((resolve) => {
      const offsets = request.items.flatMap(() => [1, 0]);
      const done = { offsets, repeats: [], conflicts: [], missing: [], tops: [] };
      asked.push({ request, answer: (fields = {}) => resolve({ ...done, ...fields }) });
    });
  const commits = new GroupCommit({
    ...{ link: { request } as unknown as WriterLink, epoch: "e", clock, announce: () => {} },
    onCommit: (commit) => measured.push(commit),
  });
  return { clock, measured, asked, commits };
}

const item = (id: string): NewPublication => ({
  ...{ id, channel: "news", timeMs: 0, lane: 1, data: "1", meta: "", stored: true },
});

test("the time of a commit runs from its request to its reply", async () => {
  const { clock, measured, asked, commits } = setUp();
  const first = commits.next().publish([item("a"), item("b")]);
  clock.advance(5);
  await Promise.resolve();
  clock.advance(7);
  const second = commits.next().savePositions([], []);
  await Promise.resolve();
  clock.advance(2);
  asked[0]?.answer();
  await first;
  clock.advance(3);
  asked[1]?.answer();
  await second;
  expect(measured).toEqual([
    { items: 2, ms: 9 },
    { items: 0, ms: 5 },
  ]);
});

test("neither one that failed nor a question is a commit", async () => {
  const { measured, asked, commits } = setUp();
  const failing = commits.next().publish([item("a")]);
  await Promise.resolve();
  asked[0]?.answer({ failure: "the disk is full" });
  await expect(failing).rejects.toThrow("the disk is full");
  const top = commits.next().top("news");
  await Promise.resolve();
  expect(asked[1]?.request).toMatchObject({ items: [], tops: ["news"] });
  asked[1]?.answer({ tops: [0, 1, 0] });
  expect(await top).toEqual([0, 1, 0]);
  expect(measured).toEqual([]);
});
