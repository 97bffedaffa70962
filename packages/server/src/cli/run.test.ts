import { expect, test } from "bun:test";
import { ConfigError } from "../config.ts";
import { command } from "./command.ts";
import { RefusedError, UnreachableError } from "./errors.ts";
import { runCommandLine } from "./run.ts";
import { fakeIo } from "./testing/fake-io.ts";

const throwing = (name: string, error: Error) =>
  command({
    name,
    group: "Use it",
    about: "fails",
    text: [],
    args: [],
    flags: {},
    examples: [],
    run: () => Promise.reject(error),
  });

const echo = command({
  name: "echo",
  group: "Use it",
  about: "says it again",
  text: ["Says it again, ".repeat(20)],
  args: ["TEXT"],
  flags: {
    loud: { about: "in capitals" },
    to: { value: "NAME", about: "to whom", initial: "all", variable: "TO", repeats: true },
  },
  examples: ['carillon echo "Tea"'],
  async run({ args: [text], flags: { loud, to } }, io) {
    io.out(`${loud ? text.toUpperCase() : text} ${to.join()}`);
    return 0;
  },
});

const commands = [
  echo,
  { ...echo, name: "tokens list", args: [] },
  { ...echo, name: "tokens revoke", args: ["ID"] },
  throwing("usage", new ConfigError("--port: expected a port")),
  throwing("refused", new RefusedError("403 forbidden: no", { status: 403, code: "forbidden" })),
  throwing("away", new UnreachableError("http://h cannot be reached: no")),
  throwing("broken", new TypeError("it broke")),
];

async function run(...typed: string[]) {
  const { io, out, err } = fakeIo();
  const code = await runCommandLine(typed, commands, io);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

test("a command gets its flags and arguments", async () => {
  expect(await run("echo", "Tea", "--loud", "--to", "you")).toEqual({ code: 0, out: "TEA you", err: "" });
  expect(await run("echo", "--", "--help")).toEqual({ code: 0, out: "--help ", err: "" });
});

test.each([
  ["usage", 2, "--port: expected a port"],
  ["refused", 1, "403 forbidden: no"],
  ["away", 3, "http://h cannot be reached: no"],
  ["broken", 1, "it broke"],
])("%s ends with %i and one line", async (name, code, said) => {
  expect(await run(name)).toEqual({ code, out: "", err: `carillon: ${said}` });
});

test.each([
  [["ecoh"], 'unknown command "ecoh"; did you mean echo? see carillon help'],
  [["dance"], 'unknown command "dance"; see carillon help'],
  [["help", "ecoh"], 'unknown command "ecoh"; did you mean echo? see carillon help'],
  [["token"], 'unknown command "token"; did you mean tokens? see carillon help'],
  [["tokens"], "carillon tokens: expected list or revoke; see carillon help tokens"],
  [["tokens", "--json"], "carillon tokens: expected list or revoke; see carillon help tokens"],
  [
    ["tokens", "lits"],
    'unknown command "tokens lits"; did you mean list? expected list or revoke; see carillon help tokens',
  ],
  [["tokens", "revoke"], "ID is missing"],
  [["echo"], "TEXT is missing"],
  [["echo", "Tea", "--lout"], "unknown flag --lout; did you mean --loud?"],
])("%j: wrong usage", async (typed, said) => {
  expect(await run(...typed)).toEqual({ code: 2, out: "", err: `carillon: ${said}` });
});

test("help lists every command by group, and says what the exit codes mean", async () => {
  const { code, out } = await run("help");
  expect(code).toBe(0);
  expect(out).toMatch(/\nUse it\n {2}echo TEXT +says it again\n/);
  expect(out).toContain("tokens revoke ID");
  expect(out).toContain("3  the server cannot be reached");
  for (const spelt of [[], ["--help"], ["-h"], ["help", "--help"]]) {
    expect((await run(...spelt)).out).toBe(out);
  }
});

test("a command's page has its flags with defaults, and fits a screen's width", async () => {
  const { out } = await run("help", "echo");
  expect(out).toStartWith("carillon echo TEXT [flags]\n\nSays it again, ");
  expect(out).toContain("  --loud     in capitals\n  --to NAME  to whom (repeatable; all; TO)\n\nExamples\n");
  expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(110);
  for (const spelt of [
    ["echo", "--help"],
    ["echo", "Tea", "-h"],
  ]) {
    expect((await run(...spelt)).out).toBe(out);
  }
});

test("commands of one family are told apart", async () => {
  const { out } = await run("help", "tokens");
  expect(out).toContain("carillon tokens list       says it again\ncarillon tokens revoke ID  says it again");
  expect((await run("tokens", "--help")).out).toBe(out);
  expect((await run("tokens", "revoke", "--help")).out).toStartWith("carillon tokens revoke ID [flags]");
});
