import { expect, test } from "bun:test";
import { Audiences, reached, urgentOnly, type View } from "./audience.ts";
import { textCodec, v1Codec } from "./codecs.ts";
import { NO_TAGS } from "./tag-sets.ts";

const view = (more: Partial<View> = {}): View => ({
  codec: v1Codec,
  isUrgentOnly: false,
  tags: undefined,
  ...more,
});
const beta = { key: "1", tags: new Set(["beta"]) };

test("those who are sent the same share a topic, others have their own", () => {
  const audiences = new Audiences("$all");
  const one = audiences.enter(view());
  expect(audiences.enter(view())).toBe(one);
  expect(one).toMatchObject({ topic: "v1:$all", sessions: 2, devices: 0 });
  const others = [
    view({ codec: textCodec }),
    view({ isUrgentOnly: true }),
    view({ tags: beta }),
    view({ tags: beta, isUrgentOnly: true }),
  ].map((each) => audiences.enter(each).topic);
  expect(new Set([one.topic, ...others]).size).toBe(5);
  // Without tags is as good as having none.
  expect(audiences.enter(view({ tags: NO_TAGS }))).toBe(one);
});

test("an audience that nobody is in is gone", () => {
  const audiences = new Audiences("news");
  const one = audiences.enter(view());
  audiences.enter(view());
  audiences.leave(one);
  expect([...audiences]).toEqual([one]);
  audiences.leave(one);
  expect([...audiences]).toEqual([]);
});

test("one who is sent only what is urgent is brought on in that lane alone", () => {
  expect(urgentOnly([3, 1, 2], 9)).toEqual([3, 9, 9]);
  expect(reached([3, 1, 2], 9, true)).toEqual([9, 1, 2]);
  expect(reached([3, 1, 2], 2, true)).toEqual([3, 1, 2]);
  expect(reached([3, 1, 2], 2, false)).toEqual([3, 2, 2]);
});
