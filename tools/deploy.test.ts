/**
 * The container files in `deploy/`, read as a program would: they cannot be built where there is no image registry, so
 * what can be wrong without building is looked for here. What a system part can check is in `e2e/deploy.test.ts`.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readConfig } from "../packages/server/src/config.ts";
import { readConfigFile } from "../packages/server/src/config-file.ts";

const root = resolve(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** The instructions of a Dockerfile, each on one line. */
function instructionsOf(text: string): readonly Instruction[] {
  return text
    .replace(/^\s*#.*\n/gm, "")
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [name = "", ...words] = line.split(" ");
      return { name, rest: words.join(" ") };
    });
}

/** The JSON list that an instruction in exec form ends with. */
function commandIn({ rest }: Instruction): readonly string[] {
  return JSON.parse(rest.slice(rest.indexOf("[")));
}

describe("Dockerfile", () => {
  const all = instructionsOf(read("deploy/Dockerfile"));
  const shipped = all.slice(all.findLastIndex(({ name }) => name === "FROM"));
  const the = (name: string): Instruction => {
    const found = shipped.filter((each) => each.name === name);
    expect(found, `${name} in the shipped stage`).toHaveLength(1);
    return found[0] as Instruction;
  };
  const copies = all.filter(({ name }) => name === "COPY").map(({ rest }) => rest.split(" "));
  const fromRepository = copies
    .filter(([first = ""]) => !first.startsWith("--from="))
    .flatMap((words) => words.slice(0, -1));

  test("every base image is pinned to one version", () => {
    const bases = all.filter(({ name }) => name === "FROM").map(({ rest }) => rest.split(" ")[0]);
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base).toMatch(/:\d+\.\d+/);
  });

  test("it runs as somebody with a number who is not root", () => {
    expect(the("USER").rest).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const order = shipped.map(({ name }) => name);
    expect(order.lastIndexOf("RUN")).toBeLessThan(order.indexOf("USER"));
    expect(order.indexOf("USER")).toBeLessThan(order.indexOf("ENTRYPOINT"));
  });

  test("signals reach the server, as no shell is between", () => {
    expect(commandIn(the("ENTRYPOINT"))).toEqual(["carillon"]);
    expect(commandIn(the("CMD"))).toEqual(["serve"]);
  });

  test("it tells whether it is well, and keeps its data in a volume", () => {
    expect(commandIn(the("HEALTHCHECK")).at(-1)).toContain("/readyz");
    expect(the("ENV").rest).toBe(`CARILLON_DATA=${the("VOLUME").rest}`);
  });

  test("nothing is fetched from an address", () => {
    expect(all.filter(({ name }) => name === "ADD")).toEqual([]);
    expect(all.filter(({ name, rest }) => name === "RUN" && /\b(curl|wget)\b/.test(rest))).toEqual([]);
  });

  test.each(fromRepository)("%s is there, and .dockerignore lets it through", (path) => {
    expect(existsSync(join(root, path))).toBe(true);
    const [everything, ...exceptions] = read(".dockerignore").split("\n").filter(isRule);
    expect(everything).toBe("*");
    const allowed = exceptions.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1));
    expect(allowed.some((rule) => path === rule || path.startsWith(`${rule}/`))).toBe(true);
  });
});

const isRule = (line: string) => line !== "" && !line.startsWith("#");

test("compose.yaml: it can write its volume alone, has no privileges, and comes back", () => {
  const { services, volumes } = Bun.YAML.parse(read("deploy/compose.yaml")) as {
    readonly services: { readonly carillon: Readonly<Record<string, unknown>> };
    readonly volumes: object;
  };
  const { carillon } = services;
  expect(carillon).toMatchObject({
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    restart: "unless-stopped",
    volumes: ["data:/data"],
    build: { context: "..", dockerfile: "deploy/Dockerfile" },
    image: `carillon:${JSON.parse(read("packages/server/package.json")).version}`,
  });
  expect(Object.keys(volumes)).toEqual(["data"]);
  const { test: check } = carillon["healthcheck"] as { readonly test: readonly unknown[] };
  for (const word of check) expect(word).toBeString();
  expect(check.at(-1)).toContain("/readyz");
});

test("compose.yaml and carillon.service give the server longer to stop than it takes", () => {
  const seconds = (text: string, key: RegExp) => Number(key.exec(text)?.[1]);
  expect(seconds(read("deploy/compose.yaml"), /stop_grace_period: (\d+)s/)).toBeGreaterThan(10);
  expect(seconds(read("deploy/carillon.service"), /^TimeoutStopSec=(\d+)$/m)).toBeGreaterThan(10);
});

test("carillon.toml: what it proposes are settings, and good ones", () => {
  const text = read("deploy/carillon.toml").replace(/^# (?=[a-z-]+ = )/gm, "");
  const dir = mkdtempSync(join(tmpdir(), "carillon-"));
  try {
    writeFileSync(join(dir, "carillon.toml"), text);
    const settings = readConfigFile(join(dir, "carillon.toml"));
    expect(Object.keys(settings).length).toBeGreaterThan(5);
    expect(() => readConfig({}, {}, settings)).not.toThrow();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("nginx waits longer than the server does before it drops a silent client", () => {
  const waits = [...read("deploy/nginx.conf").matchAll(/^\s*proxy_read_timeout (\d+)m;/gm)];
  expect(waits.length).toBeGreaterThan(0);
  // Twice the idle timeout of 20 minutes.
  for (const [, minutes] of waits) expect(Number(minutes)).toBeGreaterThan(40);
});
