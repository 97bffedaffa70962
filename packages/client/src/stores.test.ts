import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStore } from "./file-store.ts";
import { localStorageStore, memoryStore, type Store } from "./stores.ts";

const directory = mkdtempSync(join(tmpdir(), "carillon-stores-"));
afterAll(() => rmSync(directory, { recursive: true }));

function webStorage() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

const STORES: readonly (readonly [string, () => Store])[] = [
  ["memory", memoryStore],
  ["localStorage", () => localStorageStore("test:", webStorage())],
  ["a file", () => fileStore(join(directory, "kept.json"))],
];

test.each(STORES)("%s keeps, replaces and forgets", async (_, open) => {
  const store = open();
  expect(await store.load("a")).toBeUndefined();
  await store.save("a", "1");
  await store.save("__proto__", "2");
  await store.save("a", "3");
  expect([await store.load("a"), await store.load("__proto__")]).toEqual(["3", "2"]);
  await store.save("a", undefined);
  expect([await store.load("a"), await store.load("__proto__")]).toEqual([undefined, "2"]);
});

test("a file is there for the next life, as a whole, and nothing is left beside it", () => {
  const path = join(directory, "lives.json");
  fileStore(path).save("news", '{"epoch":"e","offset":1}');
  expect(fileStore(path).load("news")).toBe('{"epoch":"e","offset":1}');
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ news: '{"epoch":"e","offset":1}' });
  expect(readdirSync(directory).filter((name) => name.endsWith(".new"))).toEqual([]);
});

test.each([
  ["a save that was cut off in its middle", "half.json", '{"news":"kept"}', '{"news":"ke', "kept"],
  ["an empty file", "empty.json", "", "", undefined],
])("%s leaves what was there before", (_, name, before, beside, kept) => {
  const path = join(directory, name);
  writeFileSync(path, before);
  writeFileSync(`${path}.new`, beside);
  const store = fileStore(path);
  expect(store.load("news")).toBe(kept);
  store.save("news", "newer");
  expect(fileStore(path).load("news")).toBe("newer");
});

test("a file that is damaged is not silently begun anew", () => {
  const path = join(directory, "damaged.json");
  writeFileSync(path, '{"news":');
  expect(() => fileStore(path)).toThrow(SyntaxError);
});

test("localStorage is shared by prefix; where it is full, forbidden or not there, nothing fails", () => {
  const storage = webStorage();
  localStorageStore("a:", storage).save("news", "1");
  expect(localStorageStore("b:", storage).load("news")).toBeUndefined();
  expect([...storage.kept]).toEqual([["a:news", "1"]]);
  const forbid = () => {
    throw new DOMException("no", "SecurityError");
  };
  const forbidden = localStorageStore("a:", { getItem: forbid, setItem: forbid, removeItem: forbid });
  forbidden.save("news", "1");
  forbidden.save("news", undefined);
  expect(forbidden.load("news")).toBeUndefined();
  expect(localStorageStore().load("news")).toBeUndefined();
});
