/** `carillon schedules list`, `show` and `runs`: what there is, and what it has done. */
import type { z } from "zod";
import { ConfigError } from "../../config.ts";
import { command } from "../command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { DONE } from "../help.ts";
import { Api, type RequestOptions } from "../http.ts";
import { patiently } from "../progress.ts";
import { fieldsOf, tableOf } from "../table.ts";
import { pathOf, placeOf, runPage, type View, view, viewPage } from "./view.ts";
import { dataInWords, lengthOf, momentOf, nextInWords, ruleInWords } from "./words.ts";

const PAGE = 1_000;
const MOST_RUNS = 100;
/** Of a text that may fill pages. */
const DATA_WIDTH = 40;

export const listSchedules = command({
  name: "schedules list",
  group: "Use it",
  about: "list schedules and when they are due next",
  text: [
    "Lists the schedules that publish where you may, what carillon push --at and --delay keep included. Times are those of this machine's clock.",
  ],
  args: [],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: [
    "carillon schedules list",
    "carillon schedules list --json | jq -r '.schedules[] | select(.enabled | not) | .id'",
  ],
  async run({ flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const schedules = await patiently(io, api.url, readAll(api));
    if (flags.json !== undefined) io.out(JSON.stringify({ schedules }));
    else if (schedules.length === 0) io.out("There are none; carillon schedules add makes one");
    else {
      const nowMs = io.clock.wallMs();
      const rows = schedules.map((each) => rowOf(each, nowMs));
      for (const line of tableOf(["ID", "TO", "WHEN", "NEXT", "RUNS", "PUBLISHES"], rows)) io.out(line);
    }
    return DONE;
  },
});

async function readAll(api: Api): Promise<readonly View[]> {
  const all: View[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const query: RequestOptions["query"] = { limit: PAGE, ...(after !== "" && { after }) };
    const answer: z.output<typeof viewPage> = await api.json("GET", "/v1/schedules", viewPage, { query });
    all.push(...answer.schedules);
    after = answer.next;
  }
  return all;
}

function rowOf(each: View, nowMs: number): readonly string[] {
  const { id, runs } = each;
  const data = dataInWords(each);
  const shown = data.length > DATA_WIDTH ? `${data.slice(0, DATA_WIDTH)}…` : data;
  return [id, placeOf(each), ruleInWords(each), nextInWords(each, nowMs), `${runs}`, shown];
}

export const showSchedule = command({
  name: "schedules show",
  group: "Use it",
  about: "show all of one",
  text: ["Shows a schedule as it is kept. Times are those of this machine's clock."],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: [
    "carillon schedules show push-every",
    "carillon schedules show push-every --json | jq .nextDueAt",
  ],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const found = await patiently(io, api.url, api.json("GET", pathOf(id), view));
    if (flags.json !== undefined) io.out(JSON.stringify(found));
    else for (const line of linesOf(found, io.clock.wallMs())) io.out(line);
    return DONE;
  },
});

function linesOf(found: View, nowMs: number): readonly string[] {
  const { at, until, nextDueAt, misfire = "one", managed } = found;
  const next = nextInWords(found, nowMs);
  return fieldsOf({
    id: found.id,
    channel: found.channel,
    to: found.to,
    publishes: dataInWords(found),
    when: ruleInWords(found),
    next: nextDueAt === null ? next : `${next} (${momentOf(nextDueAt)})`,
    "due at": at && momentOf(at),
    "time zone": found.timeZone,
    jitter: found.jitter,
    until: until && momentOf(until),
    "max runs": found.maxRuns,
    misfire,
    ttl: found.ttl,
    urgency: found.urgency,
    "collapse key": found.collapseKey,
    tags: found.tags?.join(", "),
    "made at": momentOf(found.createdAt),
    runs: found.runs,
    "made by": managed && "the server's flags, which alone can change it",
  });
}

export const listRuns = command({
  name: "schedules runs",
  group: "Use it",
  about: "list what one has done, the latest first",
  text: [
    "Lists the last runs of a schedule and how late each was: published on time or made up for; missed in a downtime; or manual, by carillon schedules run. A hundred are kept.",
  ],
  args: ["ID"],
  flags: {
    count: { value: "COUNT", about: "how many", initial: `${MOST_RUNS}` },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: ["carillon schedules runs push-every --count 10"],
  async run({ args: [id], flags }, io) {
    const limit = readCount(flags.count, MOST_RUNS) ?? MOST_RUNS;
    const api = new Api(readEndpoint(flags, io), io);
    const path = `${pathOf(id)}/runs`;
    const { runs } = await patiently(io, api.url, api.json("GET", path, runPage, { query: { limit } }));
    if (flags.json !== undefined) io.out(JSON.stringify({ runs }));
    else if (runs.length === 0) io.out("It has not run yet");
    else {
      const rows = runs.map((run) => [momentOf(run.dueAt), lengthOf(run.latenessMs), run.outcome]);
      for (const line of tableOf(["DUE", "LATE", "OUTCOME"], rows)) io.out(line);
    }
    return DONE;
  },
});

/** @throws {ConfigError} if `--count` is not from 1 to `most`. */
export function readCount(text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new ConfigError(`--count ${JSON.stringify(text)}: expected a whole number from 1 to ${most}`);
}
