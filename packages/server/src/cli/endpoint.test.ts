import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../config.ts";
import { isLoopbackHost, readEndpoint, readUrl } from "./endpoint.ts";
import { fakeIo } from "./testing/fake-io.ts";

const KEY = "a-key-for-these-tests";
const none = { url: undefined, key: undefined, ca: undefined };

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "carillon-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

test.each([
  ["http://localhost:8080", "http://localhost:8080"],
  ["https://push.example.com/", "https://push.example.com"],
  ["https://example.com/push/", "https://example.com/push"],
  ["wss://example.com/push/ws", "https://example.com/push"],
  ["ws://h:81/ws?channel=push#x", "http://h:81"],
  ["http://[::1]:8080", "http://[::1]:8080"],
])("--url %s is the server %s", (typed, expected) => {
  expect(readEndpoint({ ...none, url: typed, key: KEY }, fakeIo().io).url).toBe(expected);
});

test.each(["", "localhost:8080", "ftp://h", "//h", "http://", "http://me:secret@h"])(
  "--url %j is refused",
  (typed) => {
    expect(() => readUrl(typed, {})).toThrow(ConfigError);
  },
);

test("flags win over the environment, and an empty variable counts as none", () => {
  const { io } = fakeIo({ env: { CARILLON_URL: "https://env", CARILLON_KEY: "of-the-environment" } });
  expect(readEndpoint(none, io)).toMatchObject({ url: "https://env", key: "of-the-environment" });
  expect(readEndpoint({ ...none, url: "https://flag", key: KEY }, io)).toMatchObject({
    url: "https://flag",
    key: KEY,
  });
  const empty = fakeIo({ env: { CARILLON_URL: "", CARILLON_KEY: "" } });
  expect(readUrl(undefined, empty.io.env).href).toBe("http://localhost:8080/");
  expect(readEndpoint({ ...none, url: "https://h" }, empty.io).key).toBeUndefined();
});

test("a wrong value is named by where it came from", () => {
  expect(() => readUrl(undefined, { CARILLON_URL: "nonsense" })).toThrow('CARILLON_URL "nonsense"');
});

test("what is wrong with a key is said without showing it", () => {
  for (const key of ["se cret", "secret\n", "секрет", ""]) {
    const read = () => readEndpoint({ ...none, url: "https://h", key }, fakeIo().io);
    expect(read).toThrow(new ConfigError("--key: expected printable characters without spaces"));
  }
});

test.each([
  ["http://push.example.com", KEY, true],
  ["http://10.0.0.7:8080", KEY, true],
  ["https://push.example.com", KEY, false],
  ["http://localhost:8080", KEY, false],
  ["http://push.example.com", undefined, false],
])("%s with the key %s: warned of an open line is %p", (url, key, isWarned) => {
  const { io, err } = fakeIo();
  readEndpoint({ ...none, url, key }, io);
  expect(err.some((line) => line.includes("unencrypted"))).toBe(isWarned);
  expect(err.join()).not.toContain(KEY);
});

test.each([
  ["localhost", true],
  ["127.0.0.1", true],
  ["127.8.9.1", true],
  ["[::1]", true],
  ["127.0.0.1.example.com", false],
  ["localhost.example.com", false],
  ["128.0.0.1", false],
  ["[::2]", false],
  ["0.0.0.0", false],
])("%s is this machine: %p", (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected);
});

test("--ca has to be a certificate", async () => {
  const path = join(dir, "ca.pem");
  await Bun.write(path, "no certificate");
  const read = (ca: string) => () => readEndpoint({ ...none, url: "https://h", ca }, fakeIo().io);
  expect(read(path)).toThrow(new ConfigError(`--ca ${path}: not a certificate in PEM`));
  expect(read(join(dir, "missing"))).toThrow("ENOENT");
});
