#!/usr/bin/env node
/**
 * Runs the tests: `npm test`, or one kind of them with `npm run test:unit` and `npm run test:e2e`. Further arguments go
 * to `bun test`: `npm run test:e2e -- liveness` runs the files that are named so.
 *
 * What the end-to-end suites need of the system is checked first and installed with apt where that may be done;
 * otherwise the run ends at once and names the command to type. Nothing is skipped. The last line is
 * `N passed, N failed` over all kinds.
 */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findBun } from "../packages/server/bin/find-bun.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Debian package → the file that shows it is there. */
const SYSTEM_PARTS = {
  chromium: () => onPath("chromium"),
  curl: () => onPath("curl"),
  "nginx-light": () => existsSync("/usr/sbin/nginx"),
  openssl: () => onPath("openssl"),
  "python3-websockets": () => existsSync("/usr/lib/python3/dist-packages/websockets"),
  systemd: () => onPath("systemd-analyze"),
};

/** A test that waits for an event that never comes ends here; the slowest good one takes about 20 s. */
const TEST_TIMEOUT_MS = 60_000;

const KINDS = {
  check: () => npm("check"),
  unit: (more) => bunTest([...within(["packages", "tools"], more), "--path-ignore-patterns", "e2e/**"]),
  e2e: (more) => bunTest([...within(["e2e"], more), "--max-concurrency", "1"]),
};

const [first, ...rest] = process.argv.slice(2);
const kinds = first === undefined || !(first in KINDS) ? Object.keys(KINDS) : [first];
const more = first !== undefined && !(first in KINDS) ? [first, ...rest] : rest;

if (kinds.includes("e2e")) requireSystemParts();
const total = { passed: 0, failed: 0 };
for (const kind of kinds) {
  const { passed, failed } = await KINDS[kind](more);
  total.passed += passed;
  total.failed += failed;
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);

function onPath(name) {
  return (process.env.PATH ?? "").split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function requireSystemParts() {
  const lacking = () => Object.keys(SYSTEM_PARTS).filter((name) => !SYSTEM_PARTS[name]());
  const missing = lacking();
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() === 0 && onPath("apt-get")) {
    process.stderr.write(`Installing what the end-to-end tests need: ${missing.join(", ")}\n`);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    for (const command of ["apt-get update", install]) {
      spawnSync(command, { shell: true, stdio: ["ignore", "ignore", "inherit"], env });
    }
  }
  if (lacking().length === 0) return;
  process.stderr.write(`The end-to-end tests need ${lacking().join(", ")}. Type:\n  sudo ${install}\n`);
  process.exit(1);
}

/** Names of test files that come first take the place of the folders, where one kind of tests is asked for. */
function within(folders, more) {
  const end = more.findIndex((word) => word.startsWith("-"));
  const names = kinds.length > 1 ? [] : more.slice(0, end === -1 ? more.length : end);
  if (names.length === 0) return [...folders, ...more];
  const [folder] = folders;
  const inFolder = (name) => (folders.length > 1 || name.startsWith(folder) ? name : `${folder}/${name}`);
  return [...names.map(inFolder), ...more.slice(names.length)];
}

/** A run that dies without its closing lines counts as one failure, so a crash never looks like success. */
async function bunTest(args) {
  const { code, output } = await run(findBun(), ["test", "--timeout", String(TEST_TIMEOUT_MS), ...args]);
  const count = (word) => Number(new RegExp(`^\\s*(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
  const failed = count("fail") + count("error") + count("errors");
  return { passed: count("pass"), failed: code === 0 ? failed : Math.max(1, failed) };
}

async function npm(script) {
  const { code } = await run("npm", ["run", "--silent", script]);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
}

/** Runs a program, showing what it writes, and resolves to its exit code and output. */
function run(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from.setEncoding("utf8").on("data", (text) => {
        output += text;
        to.write(text);
      });
    }
    child.on("error", (error) => resolve({ code: 1, output: String(error) }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
