/** `carillon devices list`, `show` and `export`: who there is, and what is kept of them. */
import { command } from "../command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { describeGrants, grantsNothing } from "../grants.ts";
import { DONE } from "../help.ts";
import { Api } from "../http.ts";
import { patiently } from "../progress.ts";
import { momentOf } from "../schedules/words.ts";
import { fieldsOf, tableOf } from "../table.ts";
import { countFlag, firstOf, readCount, THERE_ARE_MORE } from "./pages.ts";
import { type Device, device, devicePage, pathOf, type Subscription, subscriptions } from "./view.ts";
import { quietInWords } from "./words.ts";

export const listDevices = command({
  name: "devices list",
  group: "Use it",
  about: "list devices, by user or by tag",
  text: ["Lists the devices that the server knows, and when each was last seen."],
  args: [],
  flags: {
    user: { value: "USER", about: "only those of this user" },
    tag: { value: "TAG", about: "only those with this tag" },
    ...countFlag,
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    "carillon devices list --user ann",
    "carillon devices list --tag beta --json | jq -r '.devices[] | select(.connected) | .id'",
  ],
  async run({ flags: { user, tag, ...flags } }, io) {
    const count = readCount(flags.count);
    const api = new Api(readEndpoint(flags, io), io);
    const filters = { ...(user !== undefined && { user }), ...(tag !== undefined && { tag }) };
    const ask = async (query: object) => {
      const answer = await api.json("GET", "/v1/devices", devicePage, { query: { ...filters, ...query } });
      return { items: answer.devices, next: answer.next };
    };
    const { items: devices, next } = await patiently(io, api.url, firstOf(count, ask));
    if (flags.json !== undefined) io.out(JSON.stringify({ devices, next }));
    else if (devices.length === 0) io.out("There are none");
    else {
      for (const line of tableOf(["ID", "USER", "PLATFORM", "SEEN", "TAGS"], devices.map(rowOf)))
        io.out(line);
      if (next !== null) io.err(THERE_ARE_MORE);
    }
    return DONE;
  },
});

function rowOf({ id, user = "-", platform = "-", tags = [], connected, lastSeenAt }: Device) {
  return [id, user, platform, connected ? "now" : momentOf(lastSeenAt), tags.join(", ")];
}

export const showDevice = command({
  name: "devices show",
  group: "Use it",
  about: "show all of one, with its push switches",
  text: [
    "Shows what is known of a device, and what it wants pushed. $device, $user and $all are what is pushed to it alone, to its user and to everyone.",
  ],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon devices show d_7Hq2mXc9TzR4vKpWb1Ns"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const found = await patiently(io, api.url, api.json("GET", pathOf(id), device));
    const asked = api.json("GET", `${pathOf(id)}/subscriptions`, subscriptions);
    const { subscriptions: switches } = await patiently(io, api.url, asked);
    if (flags.json !== undefined) io.out(JSON.stringify({ ...found, subscriptions: switches }));
    else for (const line of [...linesOf(found), ...switchLines(switches)]) io.out(line);
    return DONE;
  },
});

function linesOf(found: Device): readonly string[] {
  const {
    tags = [],
    webPush,
    unifiedPush,
    subscribe = [],
    publish = [],
    history = [],
    presence = [],
  } = found;
  const grants = { subscribe, publish, history, presence };
  return fieldsOf({
    id: found.id,
    registered: found.registered ? "yes" : "no",
    user: found.user,
    platform: found.platform,
    "app version": found.appVersion,
    locale: found.locale,
    "time zone": found.timeZone,
    tags: tags.length === 0 ? undefined : tags.join(", "),
    may: grantsNothing(grants) ? undefined : describeGrants(grants, false),
    "web push": webPush && hostOf(webPush.endpoint),
    unifiedpush: unifiedPush && hostOf(unifiedPush.endpoint),
    "made at": momentOf(found.createdAt),
    "last seen": found.connected ? "now" : momentOf(found.lastSeenAt),
  });
}

/** Who knows the rest of an endpoint may push to it. */
function hostOf(endpoint: string): string {
  return URL.parse(endpoint)?.host ?? "unknown";
}

function switchLines(switches: readonly Subscription[]): readonly string[] {
  if (switches.length === 0) return [];
  const rows = switches.map(({ channel, push, quietHours }) => [
    channel,
    push ? "on" : "off",
    quietHours === undefined ? "-" : quietInWords(quietHours),
  ]);
  return ["", ...tableOf(["CHANNEL", "PUSH", "QUIET"], rows)];
}

const NEWLINE = new TextEncoder().encode("\n");

export const exportDevice = command({
  name: "devices export",
  group: "Use it",
  about: "write all that is kept of one, as JSON",
  text: [
    "Writes everything that the server keeps of a device to standard output: for the person whose device it is.",
  ],
  args: ["ID"],
  flags: endpointFlags,
  examples: ["carillon devices export d_7Hq2mXc9TzR4vKpWb1Ns > device.json"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const { chunks } = await api.download(`${pathOf(id)}/export`);
    for await (const chunk of chunks) await io.write(chunk);
    await io.write(NEWLINE);
    return DONE;
  },
});
