import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, type OptionName, readConfig, variableOf } from "./config.ts";
import { readConfigFile } from "./config-file.ts";
import type { Option } from "./options/option.ts";
import { options } from "./options/options.ts";

const folder = mkdtempSync(join(tmpdir(), "carillon-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return expect.unreachable();
}

test("the defaults are the documented ones", () => {
  const { timeZone, retention, presence, ...rest } = readConfig({}, {}, {});
  expect(timeZone).not.toBe("");
  expect(retention("news")).toEqual({
    maxAgeMs: 30 * 86_400_000,
    maxCount: 100_000,
    maxBytes: 1_000_000_000,
  });
  expect(presence("news")).toBe(false);
  expect(rest).toEqual({
    host: "0.0.0.0",
    port: 8080,
    data: "./data",
    memory: false,
    engine: "sqlite",
    adminKey: "",
    anonymous: "listen",
    pushEvery: 300_000,
    pushText: "Server push message at {{now}}",
    defaultChannel: "push",
    idleTimeout: 1_200_000,
    log: "pretty",
    logLevel: "info",
    allowedOrigins: [],
    tlsCert: "",
    tlsKey: "",
    trustedProxies: [],
    metrics: "open",
    webhookUrl: "",
    webhookEvents: ["connected", "disconnected", "publication", "device_offline"],
    webhookSecret: "",
    pushContact: "",
    pushServices: [],
    jwtSecret: "",
    jwtPublicKey: "",
    jwtJwks: "",
    jwtAudience: "",
    jwtIssuer: "",
    selfRegistration: "on",
    forgetDevicesAfter: 90 * 86_400_000,
    maxConnections: 100_000,
    maxConnectionsPerAddress: 20_000,
    maxStreams: 10_000,
    maxHandshakesPerSecond: 500,
    maxFramesPerSecond: 1_000,
    maxBytesPerSecond: 16 * 1024 * 1024,
    maxPublishesPerSecond: 1_000_000,
    maxSubscriptions: 1_000,
    maxRegistrationsPerMinute: 60,
    maxFrame: 65_536,
    maxBody: 8 * 1024 * 1024,
  });
});

test("a flag wins over the environment, the environment over the file", () => {
  const sources = [
    { port: "1" },
    { CARILLON_PORT: "2", CARILLON_HOST: "h2" },
    { port: "3", host: "h3", log: "json" },
  ] as const;
  expect(readConfig(...sources)).toMatchObject({ port: 1, host: "h2", log: "json" });
  expect(readConfig({}, sources[1], sources[2]).port).toBe(2);
});

test("every option has its variable", () => {
  expect(variableOf("push-every")).toBe("CARILLON_PUSH_EVERY");
  expect(readConfig({}, { CARILLON_PUSH_EVERY: "off" }, {}).pushEvery).toBeUndefined();
});

test.each([
  ["port", "65536"],
  ["port", "-1"],
  ["port", "8080 "],
  ["port", ""],
  ["host", ""],
  ["data", ""],
  ["memory", "yes"],
  ["engine", "mysql"],
  ["retention", "* forever"],
  ["admin-key", "short"],
  ["admin-key", "with a space in its middle"],
  ["anonymous", "on"],
  ["push-every", "5x"],
  ["push-every", "999ms"],
  ["push-every", "0"],
  ["push-text", ""],
  ["push-text", "{{who}}"],
  ["time-zone", "Mars/Olympus"],
  ["default-channel", "$all"],
  ["idle-timeout", "500ms"],
  ["idle-timeout", "off"],
  ["self-registration", "yes"],
  ["forget-devices-after", "59m"],
  ["forget-devices-after", "3651d"],
  ["max-registrations-per-minute", "0"],
  ["log", "xml"],
  ["log-level", "trace"],
  ["allowed-origins", "app.example"],
  ["allowed-origins", "https://app.example/path"],
] as const)("--%s %j is refused in one line that names it and what was expected", (name, value) => {
  const message = failure(() => readConfig({ [name]: value }, {}, {}));
  const { expects, isSecret } = options[name] as Option<unknown>;
  const repeated = isSecret ? "" : ` ${JSON.stringify(value)}`;
  expect(message).toStartWith(`--${name}${repeated}: expected ${expects}`);
  expect(message).not.toContain("\n");
});

test("the error names the source that the person wrote", () => {
  expect(failure(() => readConfig({}, { CARILLON_LOG: "x" }, {}))).toStartWith('CARILLON_LOG "x"');
  expect(failure(() => readConfig({}, {}, { log: "x" }))).toStartWith('config key log "x"');
});

test("lists of origins are read", () => {
  const { allowedOrigins } = readConfig(
    { "allowed-origins": "https://A.example, http://b.example:81" },
    {},
    {},
  );
  expect(allowedOrigins).toEqual(["https://a.example", "http://b.example:81"]);
});

test.each([
  [
    "c.toml",
    'port = 9100\npush-every = "30s"\nallowed-origins = ["https://a.example", "https://b.example"]\n',
  ],
  [
    "c.json",
    '{"port": 9100, "push-every": "30s", "allowed-origins": ["https://a.example", "https://b.example"]}',
  ],
  ["c.yaml", "port: 9100\npush-every: 30s\nallowed-origins:\n  - https://a.example\n  - https://b.example\n"],
])("%s says the same in its own way", (name, content) => {
  expect(readConfigFile(file(name, content))).toEqual({
    port: "9100",
    "push-every": "30s",
    "allowed-origins": "https://a.example,https://b.example",
  });
});

test.each(["off", "false"])("push-every: %s in YAML switches the push off", (value) => {
  const source = readConfigFile(file("off.yaml", `push-every: ${value}\n`));
  expect(readConfig({}, {}, source).pushEvery).toBeUndefined();
});

test.each([
  ["missing.toml", undefined, "ENOENT"],
  ["c.ini", "port=1", ".toml, .json or .yaml"],
  ["bad.toml", "port = = 1", "not valid"],
  ["bad.json", "{", "not valid"],
  ["list.json", "[1]", "table of options"],
  ["typo.toml", "prot = 1", '"prot"'],
  ["proto.json", '{"__proto__": {"port": 1}, "constructor": "x"}', "unknown key"],
  ["nested.json", '{"port": {"a": 1}}', "port has to be"],
])("%s is refused in one line that says why", (name, content, reason) => {
  const path = content === undefined ? join(folder, name) : file(name, content);
  const message = failure(() => readConfigFile(path));
  expect(message).toContain(reason);
  expect(message).not.toContain("\n");
});

test.each([
  ["admin-key", "hunter2 hunter2"],
  ["jwt-secret", "hunter2"],
  ["webhook-secret", "hunter2"],
  ["webhook-url", "ftp://ann:hunter2@hooks.example/"],
] as const)("a wrong %s is not repeated", (name, value) => {
  for (const message of [
    failure(() => readConfig({ [name]: value }, {}, {})),
    failure(() => readConfig({}, { [variableOf(name)]: value }, {})),
    failure(() => readConfig({}, {}, { [name]: value })),
  ]) {
    expect(message).toContain(": expected ");
    expect(message).not.toContain("hunter2");
  }
});

test.each([
  ["unquoted.json", '{"admin-key": hunter2}'],
  ["unquoted.toml", "admin-key = hunter2"],
  ["unquoted.yaml", "admin-key: *hunter2"],
])("%s: a secret without its quotes is not repeated", (name, content) => {
  const message = failure(() => readConfigFile(file(name, content)));
  expect(message).toContain("not valid");
  expect(message).not.toContain("hunter2");
});

test("every option is documented", () => {
  for (const name of Object.keys(options) as OptionName[]) {
    expect(options[name].about.length).toBeGreaterThan(10);
  }
});
