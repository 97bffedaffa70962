/** `carillon schedules next`: when flags, or a schedule that there is, are due. */
import { ConfigError } from "../../config.ts";
import { parseDuration } from "../../lib/duration.ts";
import { command } from "../command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { DONE } from "../help.ts";
import { Api } from "../http.ts";
import { patiently } from "../progress.ts";
import { tableOf } from "../table.ts";
import { readWhen, saysWhen, whenFlags } from "./fields.ts";
import { readCount } from "./look.ts";
import { pathOf, previewed, type View, view } from "./view.ts";
import { inWords, momentOf } from "./words.ts";

const MOST = 1_000;
const USUALLY = 10;

export const nextRuns = command({
  name: "schedules next",
  group: "Use it",
  about: "say when one, or the same flags, would be due",
  text: [
    "Says when the next runs of a schedule are due, or with flags in place of ID, when those of a schedule with these flags would be. Nothing is kept. Times are those of this machine's clock; --json has them in UTC.",
  ],
  args: ["[ID]"],
  flags: {
    ...whenFlags,
    from: { value: "TIME", about: "with flags: after then, such as 2027-03-27T00:00:00Z", initial: "now" },
    count: { value: "COUNT", about: `how many, up to ${MOST}`, initial: `${USUALLY}` },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    'carillon schedules next --cron "30 2 * * *" --time-zone Europe/Berlin --from 2027-03-27T00:00:00Z --count 3',
    "carillon schedules next push-every",
  ],
  async run({ args: [id], flags }, io) {
    const count = readCount(flags.count, MOST) ?? USUALLY;
    const rule = readWhen(flags);
    const { from } = flags;
    const isSaid = Object.keys(rule).length > 0 || from !== undefined;
    if (id !== undefined && isSaid) throw new ConfigError("ID and flags that say when do not go together");
    if (id === undefined && !saysWhen(flags)) {
      throw new ConfigError("say which: an ID, or --every, --cron, --at or --delay");
    }
    const api = new Api(readEndpoint(flags, io), io);
    const asked = { ...rule, ...(from !== undefined && { from }) };
    const dueAt = await patiently(
      io,
      api.url,
      id === undefined ? look(api, asked, count) : ofKept(api, id, count),
    );
    if (flags.json !== undefined) io.out(JSON.stringify({ dueAt }));
    else if (dueAt.length === 0) io.out("None is due: it is paused or has ended");
    else {
      const nowMs = io.clock.wallMs();
      const rows = dueAt.map((due) => [momentOf(due), inWords(Date.parse(due), nowMs)]);
      for (const line of tableOf(["DUE", "THAT IS"], rows)) io.out(line);
    }
    return DONE;
  },
});

async function look(api: Api, rule: object, count: number): Promise<readonly string[]> {
  const body = { ...rule, count };
  return (await api.json("POST", "/v1/schedules/preview", previewed, { body })).dueAt;
}

async function ofKept(api: Api, id: string, count: number): Promise<readonly string[]> {
  const found = await api.json("GET", pathOf(id), view);
  return found.nextDueAt === null ? [] : look(api, previewOf(found, found.nextDueAt), count);
}

/** What to ask for so that the first answer is `nextDueAt`: a preview counts from its own beginning, and so do its runs. */
function previewOf(found: View, nextDueAt: string): object {
  const { every, align, cron, at, delay, timeZone, until, maxRuns, runs } = found;
  const step = align ? undefined : (every ?? delay);
  const stepMs = step === undefined ? 1 : (parseDuration(step) ?? 1);
  return {
    ...{ every, align, cron, at, delay, timeZone, until },
    ...(maxRuns !== undefined && { maxRuns: Math.max(1, maxRuns - runs) }),
    from: new Date(Date.parse(nextDueAt) - stepMs).toISOString(),
  };
}
