import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Endpoints, isHostPattern, isPublic } from "./endpoints.ts";

const names: Record<string, readonly string[]> = {
  "push.example": ["93.184.216.34"],
  "six.example": ["2606:2800:220:1::1"],
  "rebinding.example": ["127.0.0.1"],
  "both.example": ["93.184.216.34", "10.0.0.1"],
  "push.lab": ["10.1.2.3"],
  "nobody.example": [],
};
const lookUp = async (name: string) => names[name] ?? Promise.reject(new Error("ENOTFOUND"));
const endpoints = new Endpoints([], lookUp);

describe("an endpoint", () => {
  test.each([
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAAAB",
    "https://fcm.googleapis.com/fcm/send/abc:APA91b",
    "https://ntfy.sh:443/upAbc?up=1",
    "https://push.example:8443/x",
    "https://8.8.8.8/x",
    "https://[2606:4700::1111]/x",
    `https://push.example/${"x".repeat(1_979)}`,
  ])("%s may be posted to", (endpoint) => {
    expect(endpoints.problem(endpoint)).toBeUndefined();
  });

  test.each([
    ["", "expected an https address"],
    ["push.example/x", "expected an https address"],
    ["file:///etc/passwd", "expected an https address"],
    ["unix:/run/docker.sock", "expected an https address"],
    ["ws://push.example/x", "expected an https address"],
    ["http://push.example/x", "expected an https address"],
    ["http://169.254.169.254/latest/meta-data", "expected an https address"],
    ["https://ann:secret@push.example/x", "expected an address without a password"],
    ["https://ann@push.example/x", "expected an address without a password"],
    ["https://push.example:22/x", "expected port 443, or one from 1024 on"],
    ["https://push.example:80/x", "expected port 443, or one from 1024 on"],
    ["https://push.example:1023/x", "expected port 443, or one from 1024 on"],
    [`https://push.example/${"x".repeat(1_980)}`, "expected an address of at most 2000 characters"],
    ["https://localhost/x", "expected a public address"],
    ["https://redis:6379/x", "expected a public address"],
    ["https://db.internal/x", "expected a public address"],
    ["https://printer.local./x", "expected a public address"],
    ["https://a.localhost/x", "expected a public address"],
    ["https://127.0.0.1/x", "expected a public address"],
    ["https://0x7f.1/x", "expected a public address"],
    ["https://2130706433/x", "expected a public address"],
    ["https://017700000001/x", "expected a public address"],
    ["https://127.1./x", "expected a public address"],
    ["https://①②⑦.0.0.1/x", "expected a public address"],
    ["https://169.254.169.254/x", "expected a public address"],
    ["https://[::1]/x", "expected a public address"],
    ["https://[::ffff:10.0.0.1]/x", "expected a public address"],
    ["https://[fd00::1]/x", "expected a public address"],
  ])("%s: %s", (endpoint, problem) => {
    expect(endpoints.problem(endpoint)).toBe(problem);
  });

  test("is looked up when it is posted to, and the request goes to what was found", async () => {
    expect(await endpoints.resolve("https://push.example:8443/a/b?c=d")).toEqual({
      url: "https://93.184.216.34:8443/a/b?c=d",
      host: "push.example:8443",
      serverName: "push.example",
    });
    expect(await endpoints.resolve("https://six.example/x")).toEqual({
      url: "https://[2606:2800:220:1::1]/x",
      host: "six.example",
      serverName: "six.example",
    });
    expect(await endpoints.resolve("https://8.8.8.8/x")).toEqual({
      url: "https://8.8.8.8/x",
      host: "8.8.8.8",
      serverName: undefined,
    });
  });

  test.each(["https://rebinding.example/x", "https://both.example/x", "https://push.lab/x"])(
    "%s leads to a private address",
    async (endpoint) => {
      expect(endpoints.problem(endpoint)).toBeUndefined();
      expect(await endpoints.resolve(endpoint)).toEqual({ problem: "its name leads to a private address" });
    },
  );

  test.each(["https://nobody.example/x", "https://unknown.example/x"])(
    "%s cannot be looked up now",
    async (endpoint) => {
      await expect(endpoints.resolve(endpoint)).rejects.toThrow();
    },
  );
});

describe("hosts that the operator has named", () => {
  const lab = new Endpoints(["PUSH.lab", "10.0.0.1:8080", "*.lab.example:443", "[fd00::1]:9000"], lookUp);

  test.each([
    "http://push.lab/x",
    "https://push.lab:22/x",
    "http://10.0.0.1:8080/x",
    "https://a.lab.example/x",
    "https://a.b.lab.example:443/x",
    "http://[fd00::1]:9000/x",
  ])("%s may be posted to", (endpoint) => {
    expect(lab.problem(endpoint)).toBeUndefined();
  });

  test.each([
    "http://10.0.0.1:8081/x",
    "http://10.0.0.1/x",
    "https://10.0.0.2:8080/x",
    "http://a.lab.example/x",
    "http://lab.example:443/x",
    "http://evil-lab.example:443/x",
    "http://push.lab.evil.example/x",
    "http://[fd00::1]:9001/x",
    "http://ann:secret@push.lab/x",
  ])("%s is not one of them", (endpoint) => {
    expect(lab.problem(endpoint)).toBeString();
  });

  test("may have private addresses, others still not", async () => {
    expect(await lab.resolve("http://push.lab/x")).toEqual({
      url: "http://10.1.2.3/x",
      host: "push.lab",
      serverName: undefined,
    });
    expect(await lab.resolve("https://rebinding.example/x")).toHaveProperty("problem");
  });

  test.each(["push.lab", "push.lab:8080", "*.lab", "*.lab:1", "10.0.0.1", "[::1]:65535"])(
    "%s is a pattern",
    (text) => {
      expect(isHostPattern(text)).toBeTrue();
    },
  );

  test.each([
    "",
    "*",
    "http://push.lab",
    "push.lab/x",
    "push.lab:",
    "push.lab:0",
    "push.lab:65536",
    "a*.lab",
    "::1",
    "ä",
  ])("%s is none", (text) => {
    expect(isHostPattern(text)).toBeFalse();
  });
});

describe("addresses", () => {
  test.each([
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
  ])("%s is public", (address) => {
    expect(isPublic(address)).toBeTrue();
  });

  test.each([
    "0.0.0.0",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "0:0:0:0:0:ffff:0a00:0001",
    "64:ff9b::a00:1",
    "64:ff9b::",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "localhost",
    "",
  ])("%s is not", (address) => {
    expect(isPublic(address)).toBeFalse();
  });

  test("however a private one is written, it is none to post to", () => {
    fc.assert(
      fc.property(fc.constantFrom(10, 127), fc.ipV4(), (first, address) => {
        const parts = [first, ...address.split(".").slice(1).map(Number)];
        const number = parts.reduce((sum, part) => sum * 256 + part, 0);
        for (const spelling of [parts.join("."), String(number), `0x${number.toString(16)}`]) {
          expect(endpoints.problem(`https://${spelling}/x`)).toBe("expected a public address");
        }
        const [high, low] = [Math.floor(number / 65_536).toString(16), (number % 65_536).toString(16)];
        for (const prefix of ["::ffff:", "64:ff9b::"])
          expect(isPublic(`${prefix}${high}:${low}`)).toBeFalse();
      }),
    );
  });
});
