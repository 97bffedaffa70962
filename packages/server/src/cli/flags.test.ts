import { expect, test } from "bun:test";
import { ConfigError } from "../config.ts";
import { readFlags } from "./flags.ts";

test("both spellings are read", () => {
  expect(readFlags(["--port", "1", "--push-text=a=b"], ["port", "push-text"])).toEqual({
    port: "1",
    "push-text": "a=b",
  });
});

test("a switch takes no value", () => {
  expect(readFlags(["--json"], ["port"], ["json"])).toEqual({ json: "on" });
  expect(() => readFlags(["--json=1"], ["port"], ["json"])).toThrow(ConfigError);
});

test.each([
  [["--prot", "1"], "--prot"],
  [["--port"], "--port"],
  [["--port", "1", "--port", "2"], "twice"],
  [["stray"], "stray"],
])("%j is refused in one line", (args, reason) => {
  const read = () => readFlags(args, ["port", "host"]);
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(reason);
});
