/**
 * The rules of the house, as a test: who may import whom, which calls stand where, no dead files, no giant
 * files. `docs/architecture.md` says why; this keeps it true.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

const sources = [...new Bun.Glob("{packages,tools,e2e}/**/*.{ts,mjs}").scanSync(root)]
  .filter((path) => !path.includes("node_modules/"))
  .sort();
const isTest = (path: string) =>
  path.includes(".test.") || path.includes("/testing/") || path.startsWith("e2e/");
const shipped = sources.filter((path) => path.startsWith("packages/") && !isTest(path));

/** Rooms from the ground up. A room may import itself and what its entry names. */
const ROOMS: Readonly<Record<string, { readonly path: RegExp; readonly may: readonly string[] }>> = {
  protocol: { path: /^packages\/protocol\/src\//, may: [] },
  client: { path: /^packages\/client\/src\//, may: ["protocol"] },
  page: { path: /^packages\/server\/src\/gateway\/pages\//, may: ["protocol", "client"] },
  lib: { path: /^packages\/server\/src\/lib\//, may: ["protocol"] },
  engine: { path: /^packages\/server\/src\/engine\//, may: ["protocol", "lib"] },
  hub: { path: /^packages\/server\/src\/hub\//, may: ["protocol", "lib", "engine"] },
  schedule: { path: /^packages\/server\/src\/schedule\//, may: ["protocol", "lib"] },
  gateway: { path: /^packages\/server\/src\/gateway\//, may: ["protocol", "lib", "hub", "schedule"] },
  server: {
    path: /^packages\/server\/src\/(options\/|(?!main\.)[\w-]+\.ts$)/,
    may: ["protocol", "lib", "engine", "hub", "schedule", "gateway"],
  },
  cli: {
    path: /^packages\/server\/src\/(cli\/|main\.ts)/,
    may: ["protocol", "client", "lib", "schedule", "gateway", "server"],
  },
};

const roomOf = (path: string) => Object.keys(ROOMS).find((name) => ROOMS[name]?.path.test(path));

/** A Worker's file counts as imported by the one that starts it. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bnew Worker\(new URL\(\s*)"([^"]+)"/g;

/** The files of this project that `path` imports, types included. */
function importsOf(path: string): string[] {
  return [...read(path).matchAll(IMPORT)].flatMap(([, target = ""]) => {
    const workspace = /^@carillon\/(protocol|client)(?:\/(.+))?$/.exec(target);
    if (workspace !== null) return [`packages/${workspace[1]}/src/${workspace[2] ?? "index"}.ts`];
    if (target.startsWith(".")) return [relative(root, join(root, dirname(path), target))];
    return [];
  });
}

test.each(shipped.filter((path) => path.includes("/src/")))("%s imports only rooms below its own", (path) => {
  const room = roomOf(path);
  expect(room, `${path} is in no room of the house`).toBeDefined();
  const may = [room, ...(ROOMS[room ?? ""]?.may ?? [])];
  const wrong = importsOf(path).filter((target) => target.includes("/src/") && !may.includes(roomOf(target)));
  expect(wrong).toEqual([]);
});

test("protocol and client bring no dependency of others", () => {
  expect(JSON.parse(read("packages/protocol/package.json")).dependencies).toBeUndefined();
  expect(Object.keys(JSON.parse(read("packages/client/package.json")).dependencies)).toEqual([
    "@carillon/protocol",
  ]);
});

/** Calls that have one home each; everywhere else they would be a second clock, a second chance, a second door. */
const BANNED: readonly { readonly call: RegExp; readonly home: RegExp }[] = [
  {
    call: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bset(Timeout|Interval|Immediate)\b|\bBun\.sleep\b/,
    home: /\/lib\/clock\.ts$|^packages\/client\/src\/platform\.ts$/,
  },
  {
    call: /\bMath\.random\b|\bcrypto\.(getRandomValues|randomUUID|randomBytes)\b/,
    home: /\/lib\/ids\.ts$|^packages\/client\/src\/platform\.ts$/,
  },
  { call: /\bBun\.serve\b/, home: /\/gateway\// },
  { call: /bun:sqlite/, home: /\/engine\/sqlite/ },
  // The composition root alone names engines; all others know the contract.
  { call: /engine\/(memory|sqlite)/, home: /\/(server|engine\/.*)\.ts$/ },
  { call: /\bconsole\./, home: /^$/ },
  { call: /@ts-ignore|@ts-nocheck/, home: /^$/ },
];

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "");

test.each(BANNED)("$call stands only in $home", ({ call, home }) => {
  const wrong = shipped.filter((path) => !home.test(path) && call.test(withoutComments(read(path))));
  expect(wrong).toEqual([]);
});

test("tests do not sleep", () => {
  const sleeping = sources.filter(
    (path) => path.endsWith(".test.ts") && /\bBun\.sleep\b|sleep\(/.test(read(path)),
  );
  expect(sleeping.filter((path) => path !== "tools/tidy.test.ts")).toEqual([]);
});

test("no file is dead", () => {
  const reached = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path) || !existsSync(join(root, path))) return;
    reached.add(path);
    if (!/\.(ts|mjs)$/.test(path)) return;
    for (const target of importsOf(path)) visit(target);
  };
  for (const path of [...entries(), ...sources.filter((each) => each.endsWith(".test.ts"))]) visit(path);
  // A program that is started by its path is alive where some living file names it.
  for (let grown = true; grown; ) {
    const named = sources.filter((path) => !reached.has(path) && isNamed(path, reached));
    for (const path of named) visit(path);
    grown = named.length > 0;
  }
  const onlyTested = shipped.filter((path) => reached.has(path) && !livesInProduct(path));
  expect(sources.filter((path) => !reached.has(path))).toEqual([]);
  expect(onlyTested).toEqual([]);
});

/** What is run or published by its path. */
function entries(): string[] {
  const scripts = Object.values(JSON.parse(read("package.json")).scripts as Record<string, string>).join(" ");
  const pages = [...new Bun.Glob("packages/server/src/**/*.html").scanSync(root)];
  const fromPages = pages.flatMap((page) =>
    [...read(page).matchAll(/src="(\.\/[^"]+\.ts)"/g)].map(([, target = ""]) =>
      relative(root, join(root, dirname(page), target)),
    ),
  );
  const workers = sources.filter((path) => path.endsWith("/pages/worker/sw.ts"));
  const published = ["index.ts", "device.ts", "file-store.ts"].map((name) => `packages/client/src/${name}`);
  return [...sources.filter((path) => scripts.includes(path)), ...fromPages, ...workers, ...published];
}

function isNamed(path: string, by: ReadonlySet<string>): boolean {
  const name = path.split("/").at(-1) ?? path;
  return [...by].some((other) => existsSync(join(root, other)) && read(other).includes(name));
}

let product: Set<string> | undefined;
function livesInProduct(path: string): boolean {
  if (product === undefined) {
    const found = new Set<string>();
    const visit = (each: string) => {
      if (found.has(each) || !existsSync(join(root, each))) return;
      found.add(each);
      if (/\.(ts|mjs)$/.test(each)) for (const target of importsOf(each)) visit(target);
    };
    for (const entry of [...entries(), "packages/server/src/main.ts"]) visit(entry);
    product = found;
  }
  return product.has(path);
}

test.each(sources)("%s is small enough to hold in the head", (path) => {
  expect(read(path).split("\n").length).toBeLessThanOrEqual(350);
});

test("the lock file records no download addresses", () => {
  expect(read("package-lock.json")).not.toMatch(/"resolved": "https?:/);
});

test("Bun is pinned to one exact version", () => {
  const { dependencies } = JSON.parse(read("packages/server/package.json"));
  expect(dependencies.bun).toMatch(/^\d+\.\d+\.\d+$/);
  expect(JSON.parse(read("package.json")).allowScripts).toEqual({ [`bun@${dependencies.bun}`]: true });
  expect(Bun.version).toBe(dependencies.bun);
});
