/** What may happen in a day of devices. Each move is made in the world, and told to the rules. */
import { laneOf, type Urgency } from "@carillon/protocol/position";
import type { PublishItem } from "../publisher.ts";
import type { App } from "./device-day-apps.ts";
import { CHANNELS, connect, names, someTags, USERS, ZONES } from "./device-day-people.ts";
import { type Quiet, wishName } from "./device-day-terms.ts";
import type { DayWorld } from "./device-day-world.ts";

const HOURS: readonly Quiet[] = [
  { from: "22:00", to: "07:00" },
  { from: "09:00", to: "17:30" },
  { from: "02:00", to: "02:30" },
  { from: "00:45", to: "03:10" },
];

type Tags = ReadonlySet<string>;
const EXPRESSIONS: readonly (readonly [string, (tags: Tags) => boolean])[] = [
  ["tag:a", (tags) => tags.has("a")],
  ["tag:b", (tags) => tags.has("b")],
  ["tag:a & tag:b", (tags) => tags.has("a") && tags.has("b")],
  ["tag:b | tag:c", (tags) => tags.has("b") || tags.has("c")],
  ["!tag:c", (tags) => !tags.has("c")],
  ["tag:a & !(tag:b | tag:c)", (tags) => tags.has("a") && !tags.has("b") && !tags.has("c")],
];

/** Where, for whom of those who read there, and how a publisher says it. */
function address(world: DayWorld) {
  const registered = [...world.apps.values()].filter((app) => world.party(app).isRegistered);
  const all = () => true;
  const chance = world.random();
  if (chance < 0.35) {
    const channel = world.pick(CHANNELS);
    return { to: { channel }, channel, expression: undefined, fits: all };
  }
  if (chance < 0.5 && registered.length > 0) {
    const { device } = world.pick(registered);
    return { to: { to: `device:${device}` }, channel: `$device/${device}`, expression: undefined, fits: all };
  }
  if (chance < 0.7) {
    const user = world.pick(USERS);
    return { to: { to: `user:${user}` }, channel: `$user/${user}`, expression: undefined, fits: all };
  }
  if (chance < 0.8) return { to: { to: "everyone" }, channel: "$all", expression: undefined, fits: all };
  const [expression, fits] = world.pick(EXPRESSIONS);
  return { to: { to: expression }, channel: "$all", expression, fits };
}

async function publish(world: DayWorld): Promise<void> {
  const count = world.random() < 0.7 ? 1 : 1 + Math.floor(world.random() * 4);
  const batch = Array.from({ length: count }, (_, index) => {
    const { to, channel, expression, fits } = address(world);
    const more: { -readonly [Name in keyof PublishItem]?: PublishItem[Name] } = {};
    if (world.random() < 0.5) more.urgency = world.pick<Urgency>(["high", "normal", "low", "very-low"]);
    if (world.random() < 0.25) more.ttl = world.pick([0, 5, 600, 7_200, 86_400]);
    if (world.random() < 0.2) more.collapseKey = world.pick(["k", "l"]);
    if (world.random() < 0.2) more.receipts = true;
    if (channel.startsWith("$user/") && world.random() < 0.4) more.withdrawOn = world.pick(["ack", "read"]);
    const number = world.rules.messages.length + 1 + index;
    const audience = world.rules.audience(channel, fits).map(({ id }) => id);
    return {
      item: { ...to, data: number, ...more } as PublishItem,
      channel,
      expression,
      fits,
      more,
      audience,
    };
  });
  const results = await world.hub.publish(batch.map(({ item }) => item));
  for (const [index, { item, channel, expression, fits, more, audience }] of batch.entries()) {
    const { id, offset, timeMs } = results[index] ?? { id: "", offset: 0, timeMs: 0 };
    const { urgency = "normal", ttl, collapseKey, withdrawOn, receipts } = more;
    const isDirect = channel.startsWith("$") && channel !== "$all";
    world.note(`publishes ${JSON.stringify(item)} as ${offset} for ${audience.length}`);
    world.rules.published({
      id,
      number: item.data as number,
      channel,
      offset,
      lane: laneOf(urgency),
      timeMs,
      expiresAtMs: ttl === undefined || ttl === 0 ? undefined : timeMs + ttl * 1_000,
      // What is for some does not take the place of what is for others.
      group: collapseKey === undefined ? undefined : `${collapseKey} ${expression}`,
      fits,
      isForAll: expression === undefined,
      withdrawOn,
      isNamed: isDirect || receipts === true,
      isGone: false,
      recipients: audience.length,
      sent: new Map(),
      received: new Map(),
      read: new Set(),
      doubted: new Set(),
      shaken: { recipients: 0, sent: 0, received: 0 },
      again: { sent: 0, received: 0 },
    });
  }
  await world.checkUp();
}

const upLink = (world: DayWorld, app: App) =>
  world.pick([...app.links].filter(({ state }) => state === "up"));

async function acknowledge(world: DayWorld, app: App): Promise<void> {
  const link = upLink(world, app);
  if (link === undefined) return;
  if (app.kind === "text") {
    world.note(`${names(app)} shows that it is there`);
    world.heartbeat(link);
    return world.checkUp();
  }
  const channels = app.known.filter(() => world.random() < 0.7);
  world.note(`${names(app)} acknowledges ${channels}`);
  await world.say(link, ...channels.map((channel) => app.ackOf(channel)));
}

async function read(world: DayWorld, app: App): Promise<void> {
  const link = upLink(world, app);
  if (app.kind === "text" || link === undefined || app.handled.length === 0) return;
  const message = world.rules.messages[world.pick(app.handled) - 1];
  if (message === undefined || !app.known.includes(message.channel) || message.offset === 0) return;
  if (!message.fits(world.party(app).tags)) return;
  world.note(`${names(app)} has read ${message.number}`);
  const { channel, id } = message;
  await world.say(link, app.command({ type: "read", channel, publications: [id] }));
}

/** Nobody is told: what was on its way is lost. */
function kill(world: DayWorld, app: App): void {
  world.note(`${names(app)} is killed`);
  for (const link of app.links) link.state = "dead";
  app.links.clear();
}

function stall(world: DayWorld, app: App): void {
  const link = world.pick([...app.links]);
  if (link === undefined) return;
  link.state = link.state === "up" ? "stalled" : "up";
  world.note(`${names(app)}: a connection is ${link.state}`);
}

async function notice(world: DayWorld): Promise<void> {
  const link = world.pick([...world.lines.keys()].filter(({ state }) => state === "dead"));
  if (link === undefined) return;
  world.note(`the server notices that ${world.lines.get(link)?.device.id.slice(0, 6)} is gone`);
  link.end(1006);
  await world.checkUp();
}

async function close(world: DayWorld, app: App): Promise<void> {
  const link = upLink(world, app);
  if (link === undefined) return;
  world.note(`${names(app)} closes`);
  link.end(1000);
  await world.checkUp();
}

function somePatch(world: DayWorld) {
  const push = world.random() < 0.6 ? world.random() < 0.5 : undefined;
  const hours = world.random() < 0.7 ? world.pick(HOURS) : null;
  return push === undefined || world.random() < 0.3 ? { push, quietHours: hours } : { push };
}

async function switchByApp(world: DayWorld, app: App): Promise<void> {
  const link = upLink(world, app);
  const line = link && world.lines.get(link);
  if (link === undefined || line === undefined) return;
  if (app.kind === "v1") {
    const channel = world.pick(app.known);
    if (channel === undefined) return;
    const patch = somePatch(world);
    world.note(`${names(app)} switches ${channel} ${JSON.stringify(patch)}`);
    return world.say(link, app.command({ type: "switch", channel, ...patch }));
  }
  const push = world.random() < 0.6;
  world.note(`${names(app)} says ${push ? "subscribe" : "unsubscribe"}`);
  world.rules.alive(line);
  for (const channel of line.got.keys()) world.rules.switched(line.device, wishName(channel), { push });
  link.say(push ? "subscribe" : "unsubscribe");
  await world.checkUp();
}

async function switchByBackend(world: DayWorld, app: App): Promise<void> {
  const party = world.party(app);
  const inbox = party.isRegistered ? ["$device", "$user", "$all"] : [];
  const name = world.pick([...app.channels, ...inbox]);
  if (name === undefined) return;
  const patch = somePatch(world);
  world.note(`the backend switches ${names(app)} ${name} ${JSON.stringify(patch)}`);
  await world.devices.setSwitch(app.device, name, patch);
  world.rules.switched(party, name, patch);
  await world.checkUp();
}

async function change(world: DayWorld, app: App): Promise<void> {
  const party = world.party(app);
  if (!party.isRegistered) return;
  const chance = world.random();
  if (chance < 0.5) {
    const tags = someTags(world);
    world.note(`${names(app)} has the tags ${tags}`);
    await world.devices.change(app.device, { tags });
    party.tags = new Set(tags);
  } else if (chance < 0.7) {
    const zone = world.pick(ZONES);
    world.note(`${names(app)} is in ${zone}`);
    await world.devices.change(app.device, { timeZone: zone });
    party.zone = zone;
  } else if (chance < 0.9) {
    world.note(`${names(app)} has a new token`);
    app.token = await world.cutting(app, 4500, () => world.devices.rotate(app.device));
  } else {
    const user = world.pick([...USERS, undefined]);
    if (user === party.user) return;
    world.note(`${names(app)} is ${user}'s now`);
    await world.cutting(app, 4003, () => world.devices.change(app.device, { user }));
    if (app.kind === "v1") app.forget(`$user/${user}`);
    world.rules.moved(party, user);
  }
  await world.checkUp();
}

async function remove(world: DayWorld, app: App): Promise<void> {
  if (!world.party(app).isRegistered || world.apps.size < 3) return;
  world.note(`${names(app)} is removed`);
  await world.cutting(app, 4500, () => world.devices.remove(app.device));
  world.rules.removed(world.party(app));
  world.apps.delete(app.device);
  await world.checkUp();
}

/** An app that has acknowledged everything loses what it had stored since. */
async function restore(world: DayWorld, app: App): Promise<void> {
  if (app.kind === "text" || world.isRough) return;
  const link = upLink(world, app);
  if (link === undefined) return;
  const before = app.store;
  await publish(world);
  await publish(world);
  if (link.state !== "up" || [...app.links].some(({ state }) => state === "stalled")) return;
  world.note(`${names(app)} acknowledges all, and comes back with what it had stored before`);
  await world.say(link, ...app.known.map((channel) => app.ackOf(channel)));
  kill(world, app);
  app.store = before;
  await connect(world, app);
}

const MOVES: readonly (readonly [number, (world: DayWorld, app: App) => void | Promise<void>])[] = [
  [40, publish],
  [12, acknowledge],
  [5, read],
  [5, kill],
  [4, stall],
  [5, notice],
  [4, close],
  [9, (world, app) => (app.links.size === 0 ? connect(world, app) : undefined)],
  [2, connect],
  [4, switchByApp],
  [4, switchByBackend],
  [4, change],
  [0.5, remove],
  [1, restore],
  [1.5, (world) => restart(world)],
];
const TOTAL = MOVES.reduce((sum, [weight]) => sum + weight, 0);

async function restart(world: DayWorld): Promise<void> {
  world.note(world.isRough ? "the server is killed" : "the server restarts");
  if (world.isRough) await world.crash();
  else await world.restart();
  await world.checkUp();
}

/** Time passes, and something happens. */
export async function move(world: DayWorld): Promise<void> {
  const chance = world.random();
  const longest = chance < 0.5 ? 2_000 : chance < 0.8 ? 900_000 : 3 * 3_600_000;
  await world.pass(Math.floor(world.random() * longest));
  const app = world.pick([...world.apps.values()]);
  let at = world.random() * TOTAL;
  for (const [weight, make] of MOVES) {
    at -= weight;
    if (at < 0) return make(world, app);
  }
}

/** All come back, quiet hours pass, and everything is acknowledged. */
export async function heal(world: DayWorld): Promise<void> {
  world.note("all come back");
  for (const link of [...world.lines.keys()]) if (link.state !== "up") link.end(1006);
  await world.checkUp();
  for (const app of world.apps.values()) if (app.links.size === 0) await connect(world, app);
  const acknowledgeAll = async () => {
    for (const app of world.apps.values()) {
      for (const link of app.links) {
        if (app.kind === "v1") await world.say(link, ...app.known.map((channel) => app.ackOf(channel)));
        else world.heartbeat(link);
      }
    }
    await world.pass(2_000);
  };
  await acknowledgeAll();
  await world.pass(25 * 3_600_000);
  await acknowledgeAll();
}
