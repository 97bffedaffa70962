import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Command, ErrorCode, Json } from "./frames.ts";
import {
  byteLength,
  encodeFrame,
  encodePageFrame,
  encodePublication,
  isDeep,
  parseCommand,
  parseServerFrame,
  textOf,
} from "./json.ts";
import { MAX_DATA_BYTES, MAX_DEPTH } from "./limits.ts";
import { URGENCIES } from "./position.ts";
import { COMMANDS } from "./testing/golden.ts";
import { SERVER_FRAMES } from "./testing/golden-server.ts";

function errorOf(frame: string) {
  const parsed = parseCommand(frame);
  return parsed.ok ? undefined : parsed.error;
}

const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const channel = fc.stringMatching(/^[A-Za-z0-9_:@~-]{1,20}(\/[A-Za-z0-9_]{1,9}){0,3}$/);
const offset = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const position = fc.record({
  epoch: fc.string({ minLength: 1, maxLength: 64 }),
  offset: fc.oneof(offset, fc.tuple(offset, offset, offset)),
});
const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;
const tag = fc.string({ minLength: 1, maxLength: 64 });

/** A command with any of its optional fields. */
const command = fc.oneof(
  fc.record(
    {
      type: fc.constant("connect" as const),
      id,
      token: fc.string({ minLength: 1, maxLength: 100 }),
      device: fc.stringMatching(/^[A-Za-z0-9_.:-]{1,100}$/),
      client: fc.string({ minLength: 1, maxLength: 200 }),
    },
    { requiredKeys: ["type", "id"] },
  ),
  fc.record(
    { type: fc.constant("subscribe" as const), id, channel, position },
    { requiredKeys: ["type", "id", "channel"] },
  ),
  fc.record(
    {
      type: fc.constant("publish" as const),
      id,
      channel,
      data: json,
      ttl: fc.nat({ max: 31_536_000 }),
      urgency: fc.constantFrom(...URGENCIES),
      collapseKey: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
      idempotencyKey: fc.stringMatching(/^[\x20-\x7e]{1,200}$/),
      tags: fc.array(tag, { maxLength: 16 }),
    },
    { requiredKeys: ["type", "id", "channel", "data"] },
  ),
  fc.record(
    {
      type: fc.constant("history" as const),
      id,
      channel,
      after: offset,
      limit: fc.integer({ min: 1, max: 1000 }),
    },
    { requiredKeys: ["type", "id", "channel"] },
  ),
  fc.record({ type: fc.constant("ack" as const), channel, position }),
  fc.record(
    {
      type: fc.constant("switch" as const),
      id,
      channel,
      push: fc.boolean(),
      quietHours: fc.option(fc.constant({ from: "22:00", to: "07:00" })),
    },
    { requiredKeys: ["type", "id", "channel"] },
  ),
  fc.record({
    type: fc.constant("read" as const),
    id,
    channel,
    publications: fc.array(fc.stringMatching(/^[A-Za-z0-9]{1,64}$/), { minLength: 1, maxLength: 100 }),
  }),
);

describe("whatever comes", () => {
  test("a valid command is read as it was written", () => {
    fc.assert(
      fc.property(command, (written) => {
        const frame = encodeFrame(written as Command);
        expect(parseCommand(frame)).toEqual({ ok: true, command: JSON.parse(frame) });
      }),
    );
  });

  test("garbage is refused, not thrown at anybody", () => {
    const garbage = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .array(fc.constantFrom("{", "}", "[", "]", '"', "\\", ":", ",", "type", "1"))
        .map((all) => all.join("")),
    );
    fc.assert(
      fc.property(garbage, (frame) => {
        expect(parseCommand(frame).ok).toBe(false);
        expect(parseServerFrame(frame)).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  test("a frame that is damaged in one field is read whole or not at all", () => {
    const frames = [...Object.values(COMMANDS), ...Object.values(SERVER_FRAMES)]
      .flat()
      .map(({ bytes }) => bytes);
    fc.assert(
      fc.property(fc.constantFrom(...frames), fc.nat(), fc.anything(), (bytes, which, value) => {
        const fields = JSON.parse(bytes);
        const names = Object.keys(fields);
        fields[names[which % names.length] ?? "type"] = value;
        let damaged = "";
        try {
          damaged = JSON.stringify(fields);
        } catch {
          return;
        }
        const parsed = parseCommand(damaged);
        if (!parsed.ok) expect(parsed.error.message).not.toBe("");
        parseServerFrame(damaged);
      }),
      { numRuns: 1_000 },
    );
  });

  test("a publication and a page are JSON, and say what went in", () => {
    const text = fc.string();
    fc.assert(
      fc.property(json, offset, fc.option(text), fc.string({ minLength: 1 }), (data, at, tagged, epoch) => {
        const meta = tagged === null ? "" : JSON.stringify({ tags: [tagged] });
        const part = encodePublication({
          id: "i",
          offset: at,
          prev: 0,
          timeMs: 0,
          data: JSON.stringify(data),
          meta,
        });
        const frame = parseServerFrame(
          encodePageFrame("c", { epoch, publications: [part], to: at, more: false }),
        );
        expect(frame).toEqual({
          type: "page",
          channel: "c",
          epoch,
          publications: [
            {
              id: "i",
              ...(at > 0 && { offset: at, prev: 0 }),
              time: "1970-01-01T00:00:00.000Z",
              data: JSON.parse(JSON.stringify(data)),
              ...(tagged !== null && { tags: [tagged] }),
            },
          ],
          to: at,
          more: false,
        });
      }),
    );
  });

  test("bytes are counted as UTF-8 has them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(byteLength(text)).toBe(Buffer.byteLength(text));
      }),
    );
  });
});

test.each([
  ["a type of the prototype", '{"type":"constructor","id":1}', "bad_frame"],
  ["another one", '{"type":"__proto__","id":1}', "bad_frame"],
  ["data inherited", '{"type":"publish","id":1,"channel":"a","__proto__":{"data":1}}', "bad_field"],
])("refused: %s", (_, frame, code) => {
  expect(errorOf(frame)?.code).toBe(code as ErrorCode);
});

test("fields that are not known are ignored, and pollute nothing", () => {
  expect(parseCommand('{"type":"ping","id":1,"__proto__":{"polluted":1},"later":{}}').ok).toBe(true);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});

test(`nesting is bounded at ${MAX_DEPTH}, and looked at before anything recurses`, () => {
  const nested = (depth: number) =>
    `{"type":"publish","id":1,"channel":"a","data":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  expect(parseCommand(nested(MAX_DEPTH - 1)).ok).toBe(true);
  expect(errorOf(nested(MAX_DEPTH))?.code).toBe("bad_frame");
  expect(errorOf("[".repeat(60_000))?.code).toBe("bad_frame");
  expect(errorOf('{"a":'.repeat(10_000))?.code).toBe("bad_frame");
  expect(isDeep(JSON.stringify({ text: `"\\${"[".repeat(100)}` }))).toBe(false);
});

test.each([
  ["one byte a letter", "x".repeat(MAX_DATA_BYTES - 2), "x"],
  ["three bytes a letter", "茶".repeat((MAX_DATA_BYTES - 3) / 3), "茶"],
])("data may have 61,440 bytes of JSON and not one more: %s", (_, data, more) => {
  const publish = (text: string) =>
    errorOf(JSON.stringify({ type: "publish", id: 1, channel: "a", data: text }));
  expect(publish(data)).toBeUndefined();
  expect(publish(data + more)).toMatchObject({ id: 1, code: "payload_too_large" });
});

test("data that grows when it is written out is measured as it is written out", () => {
  const short = `[${Array(10_000).fill("1e20").join()}]`;
  expect(errorOf(`{"type":"publish","id":1,"channel":"a","data":${short}}`)?.code).toBe("payload_too_large");
});

test.each([
  ['"Tea \\"time\\" 茶"', 'Tea "time" 茶'],
  ['""', ""],
  ["42", "42"],
  ["null", "null"],
  ['{"a":"b"}', '{"a":"b"}'],
  ['["a"]', '["a"]'],
])("for a plain client %s is %s", (data, text) => {
  expect(textOf(data)).toBe(text);
});

test.each([
  '{"type":"later","id":1}',
  '{"type":["page"]}',
  '{"type":"constructor"}',
  '{"type":"subscribed","id":1,"channel":"a"}',
  '{"type":"subscribed","id":1,"channel":"a","position":{"epoch":"e","offset":[1,2]}}',
  '{"type":"publication","channel":"a","publication":null}',
  '{"type":"publication","channel":"a","publication":{"id":1,"time":"t"}}',
  '{"type":"page","channel":"a","epoch":"e","publications":[null],"to":1,"more":false}',
  '{"type":"page","channel":"a","epoch":"e","publications":{},"to":1,"more":false}',
  '{"type":"page","channel":"a","epoch":"e","publications":[],"to":[1,2],"more":false}',
  '{"type":"connected","id":1,"inbox":"$all"}',
  '{"type":"switch","push":true}',
  '{"type":"error","id":1}',
])("a client does not take for a frame: %s", (frame) => {
  expect(parseServerFrame(frame)).toBeUndefined();
});
