import { expect, test } from "bun:test";
import { commands } from "../commands.ts";
import { runCommandLine } from "../run.ts";
import { fakeIo } from "../testing/fake-io.ts";
import { wordsOf } from "./words.ts";

async function run(...typed: string[]) {
  const { io, out, err } = fakeIo();
  const code = await runCommandLine(["completion", ...typed], commands, io);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const words = wordsOf(commands);
const find = (path: string) => words.commands.find((each) => each.path.join(" ") === path);
const kindOf = (path: string, flag: string) =>
  find(path)?.flags.find(({ name }) => name === flag)?.value?.kind;

test("what a flag or an argument takes is known from what the help calls it", () => {
  expect(kindOf("push", "urgency")).toEqual(["very-low", "low", "normal", "high"]);
  expect(kindOf("push", "file")).toBe("file");
  expect(kindOf("push", "ttl")).toBe("anything");
  expect(kindOf("serve", "data")).toBe("directory");
  expect(kindOf("serve", "jwt-jwks")).toBe("file");
  expect(kindOf("listen", "heartbeat")).toEqual(["off"]);
  expect(kindOf("serve", "memory")).toBeUndefined();
  expect(find("backup")?.args).toEqual([{ name: "FILE", kind: "file" }]);
  expect(find("push")?.args[1]).toEqual({ name: "TEXT", kind: "anything" });
});

test("commands of one family share their first word", () => {
  expect(words.firsts.filter(({ name }) => name === "tokens")).toEqual([
    { name: "tokens", about: "list, add, revoke, sign" },
  ]);
  expect([...words.families.keys()]).toContain("tokens");
});

test.each(["bash", "zsh", "fish"])("%s: no command and no flag is left out", async (shell) => {
  const { code, out } = await run(shell);
  expect(code).toBe(0);
  for (const { path, flags } of words.commands) {
    for (const word of path) expect(out).toMatch(new RegExp(`\\b${word}\\b`));
    for (const { name } of flags) expect(out).toMatch(new RegExp(`(?:--|-l )${name}\\b`));
  }
});

test("what is told about a flag cannot end its quotes", async () => {
  const quoting = [
    {
      name: "say",
      group: "Use it",
      about: "it's [said]: $(date)",
      text: [],
      args: [],
      flags: { "to-me": { value: "A:B", about: "don't [x]: $(date)" } },
      examples: [],
      run: async () => 0,
    },
  ] as const;
  const [zsh, fish] = await Promise.all([
    import("./zsh.ts").then(({ zshCompletion }) => zshCompletion(wordsOf(quoting))),
    import("./fish.ts").then(({ fishCompletion }) => fishCompletion(wordsOf(quoting))),
  ]);
  expect(zsh).toContain(`'--to-me=[don'\\''t \\[x\\]\\: $(date)]:A\\:B: '`);
  expect(fish).toContain(`-l to-me -x -d 'don\\'t [x]: $(date)'`);
});

test.each([
  [["csh"], '"csh": expected bash, zsh or fish'],
  [["constructor"], "expected bash"],
  [[], "missing"],
])("%j is wrong usage", async (typed, said) => {
  const { code, out, err } = await run(...typed);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(said);
});
