import { expect, test } from "bun:test";
import { ERROR_CODES } from "./frames.ts";
import {
  encodeFrame,
  encodeHistoryReply,
  encodePageFrame,
  encodePublication,
  encodePublicationFrame,
  parseCommand,
  parseServerFrame,
} from "./json.ts";
import { COMMANDS } from "./testing/golden.ts";
import { SERVER_FRAMES } from "./testing/golden-server.ts";
import { WIRE_HISTORY } from "./version.ts";

const commands = Object.values(COMMANDS).flat();
const serverFrames = Object.values(SERVER_FRAMES).flat();

test.each(commands)("a command: $bytes", ({ frame, bytes }) => {
  expect(encodeFrame(frame)).toBe(bytes);
  expect(parseCommand(bytes)).toEqual({ ok: true, command: frame });
});

test.each(serverFrames)("from the server: $bytes", ({ frame, bytes }) => {
  expect(encodeFrame(frame)).toBe(bytes);
  expect(parseServerFrame(bytes)).toEqual(frame);
});

const timeMs = Date.UTC(2026, 10, 24, 9, 30);

test("what is put together from parts has the same bytes", () => {
  const part = encodePublication({ id: "0Tz1", offset: 43, prev: 42, timeMs, data: '"Tea"', meta: "" });
  const page = { epoch: "k3v9", publications: [part], to: 45, more: true, gap: { from: 1, to: 42 } };
  const kept = { epoch: "k3v9", publications: [part], to: 43, more: false };
  expect(encodePublicationFrame("news", part)).toBe(SERVER_FRAMES.publication[0]?.bytes ?? "");
  expect(encodePageFrame("news", page)).toBe(SERVER_FRAMES.page[0]?.bytes ?? "");
  expect(encodeHistoryReply(6, "news", kept)).toBe(SERVER_FRAMES.history[0]?.bytes ?? "");
});

test("a page that brings its reader on in some lanes has an offset for each", () => {
  const page = { epoch: "k3v9", publications: [], to: [45, 0, 0], more: false } as const;
  expect(encodePageFrame("news", page)).toBe(SERVER_FRAMES.page[1]?.bytes ?? "");
});

test.each([
  ["", '{"id":"a","time":"2026-11-24T09:30:00.000Z","data":[1, 2]}'],
  ["{}", '{"id":"a","time":"2026-11-24T09:30:00.000Z","data":[1, 2]}'],
  [
    '{"ttl":0,"tags":["x"]}',
    '{"id":"a","time":"2026-11-24T09:30:00.000Z","data":[1, 2],"ttl":0,"tags":["x"]}',
  ],
])("one that was not stored has no offset; its data is left as it is; the rest is %p", (meta, bytes) => {
  expect(encodePublication({ id: "a", offset: 0, prev: 0, timeMs, data: "[1, 2]", meta })).toBe(bytes);
});

test("the wire is the one that version.ts has on record", async () => {
  const sources = await Promise.all(
    ["frames.ts", "position.ts"].map((name) => Bun.file(`${import.meta.dir}/${name}`).text()),
  );
  const shapes = sources.map(declarations).join("");
  const golden = [...commands, ...serverFrames].map(({ bytes }) => bytes).join("\n");
  const hash = new Bun.CryptoHasher("sha256").update(`${shapes}${ERROR_CODES}${golden}`).digest("hex");
  expect(
    WIRE_HISTORY.at(-1)?.hash,
    "the wire has changed: read version.ts, then write down what changed",
  ).toBe(hash.slice(0, 16));
});

/** The types of a source without comments, whitespace and code, so that only a change of the wire changes them. */
function declarations(source: string): string {
  const bare = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  const types =
    bare.match(/^export (interface|type) [\s\S]*?^(?=export |import |function |$(?![\s\S]))/gm) ?? [];
  return types.join("").replace(/\s+/g, "");
}
