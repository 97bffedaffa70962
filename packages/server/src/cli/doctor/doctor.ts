/** `carillon doctor`: looks at a server, the way to it, and the machine, and says what to do. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { printable } from "../../lib/printable.ts";
import { command, type Io } from "../command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { DONE, FAILED } from "../help.ts";
import { patiently } from "../progress.ts";
import { describe, type Finding } from "./findings.ts";
import { examineData, examineMachine } from "./machine.ts";
import { examineServer } from "./network.ts";

const DEFAULT_DATA = "data";

export const doctor = command({
  name: "doctor",
  group: "Look after it",
  about: "look for what is wrong with a server, the way to it, and this machine",
  text: [
    "Looks at the server, whether it can write, its clock, the key, and whether WebSockets and event streams come through the proxies on the way. For a server on this machine also at the limit of open files, the time zone and the data directory.",
    "Each line is good (✓), worth a look (!) or broken (✗) and then says what to do. With anything broken the exit code is 1. Nothing is changed.",
  ],
  args: [],
  flags: {
    data: {
      value: "DIR",
      about: "the server's data directory",
      initial: "./data if a server here keeps one there",
    },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    "carillon doctor",
    "sudo carillon doctor --data /var/lib/carillon",
    "carillon doctor --url https://push.example.com --json | jq '.findings[] | select(.state != \"good\")'",
  ],
  async run({ flags }, io) {
    const { data, json } = flags;
    const keyFile = data === undefined ? undefined : join(data, "admin.key");
    const endpoint = readEndpoint(flags, io, keyFile);
    const isHere = endpoint.isLoopback || data !== undefined;
    const dir = data ?? (endpoint.isLoopback && existsSync(DEFAULT_DATA) ? DEFAULT_DATA : undefined);
    const findings: Finding[] = [];
    const examinations = [
      examineServer({ endpoint, io }),
      ...(isHere ? [examineMachine(io)] : []),
      ...(dir === undefined ? [] : [examineData(dir)]),
    ];
    for (const examination of examinations) {
      for await (const finding of patient(examination, endpoint.url, io)) {
        findings.push(finding);
        if (json === undefined) io.out(printable(describe(finding)));
      }
    }
    const ok = findings.every(({ state }) => state !== "failed");
    if (json !== undefined) io.out(JSON.stringify({ ok, findings }));
    return ok ? DONE : FAILED;
  },
});

/** The same findings; while one takes long, that it does is shown. */
async function* patient(
  findings: AsyncGenerator<Finding> | Generator<Finding>,
  url: string,
  io: Io,
): AsyncGenerator<Finding> {
  for (;;) {
    const { done, value } = await patiently(io, url, Promise.resolve(findings.next()));
    if (done === true) return;
    yield value;
  }
}
