import { expect, test } from "bun:test";
import { ConfigError } from "../config.ts";
import { readGiven } from "./flags.ts";

const table = {
  port: { value: "PORT", about: "" },
  "push-text": { value: "TEXT", about: "" },
  tag: { value: "TAG", about: "", repeats: true },
  json: { about: "" },
} as const;
const read = (...typed: string[]) => readGiven(typed, table, ["CHANNEL", "[TEXT]"]);

test("both spellings are read, wherever the arguments stand", () => {
  expect(read("--port", "1", "news", "--push-text=a=b\nc", "Tea")).toEqual({
    flags: { port: "1", "push-text": "a=b\nc", tag: [] },
    args: ["news", "Tea"],
  } as never);
});

test("a flag that repeats is a list, and one without a value is on", () => {
  expect(read("news", "--tag", "a", "--json", "--tag=b").flags).toMatchObject({
    tag: ["a", "b"],
    json: "on",
  });
});

test("behind -- and for numbers and a lone dash, nothing is a flag", () => {
  expect(read("--", "--json", "--port").args).toEqual(["--json", "--port"] as never);
  expect(read("news", "-5").args).toEqual(["news", "-5"]);
  expect(read("news", "-").args).toEqual(["news", "-"]);
  expect(read("news", "--port", "-5").flags.port).toBe("-5");
});

test.each([
  [["n", "--prot", "1"], "unknown flag --prot; did you mean --port?"],
  [["n", "--constructor"], "unknown flag --constructor"],
  [["n", "-x"], "unknown flag -x"],
  [["n", "--port"], "--port needs a value: --port PORT"],
  [
    ["n", "--port", "--json"],
    "--port needs a value; one that begins with two dashes is written --port=--json",
  ],
  [["n", "--json=1"], "--json takes no value"],
  [["n", "--port", "1", "--port=2"], "--port is given twice"],
  [["n", "--json", "--json"], "--json is given twice"],
  [[], "CHANNEL is missing"],
  [["--json"], "CHANNEL is missing"],
  [["n", "t", "stray"], 'unexpected argument "stray"'],
])("%j is refused in one line", (typed, reason) => {
  expect(() => read(...typed)).toThrow(new ConfigError(reason));
});
