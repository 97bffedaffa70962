/** What has to be true at the end of a day of devices. */
import type { App } from "./device-day-apps.ts";
import { told } from "./device-day-lines.ts";
import type { Message } from "./device-day-terms.ts";
import type { DayWorld } from "./device-day-world.ts";

function assert(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new Error(what);
}

export async function checkDay(world: DayWorld): Promise<void> {
  for (const app of world.apps.values()) {
    checkHad(world, app);
    await checkPlace(world, app);
  }
  for (const message of world.rules.messages) {
    await checkCounts(world, message);
    if (message.isNamed) await checkNames(world, message);
  }
  await checkRemoved(world);
  await checkEmpty(world);
}

/** Each app has exactly what the rules say, and in order. */
function checkHad(world: DayWorld, app: App): void {
  const party = world.party(app);
  const { rules } = world;
  const handled = new Set(app.handled);
  assert(
    app.kind === "text" || handled.size === app.handled.length,
    `${app.device} was shown something twice`,
  );
  for (const message of rules.messages) {
    const fate = rules.fateOf(party, message);
    const what = `${app.device}: ${told(message)} in ${message.channel}`;
    if (handled.has(message.number)) {
      assert(message.sent.has(app.device), `${what} came from nowhere`);
      continue;
    }
    const isDue = message.offset > 0 && (fate === "owed" || fate === "had") && rules.isKept(message);
    assert(!isDue || !message.fits(party.tags) || isLeft(world, app, message), `${what} is missing`);
    assert(fate !== "owed" || !rules.isKept(message) || isLeft(world, app, message), `${what} still waits`);
  }
  if (app.kind === "v1") checkOrder(world, app);
}

/** It is in a part of the inbox that is not the device's any more. */
function isLeft(world: DayWorld, app: App, { channel }: Message): boolean {
  return !world.party(app).places.has(channel);
}

function checkOrder(world: DayWorld, app: App): void {
  const last = new Map<string, number>();
  for (const number of app.handled) {
    const { channel, lane, offset } = world.rules.messages[number - 1] as Message;
    if (offset === 0) continue;
    assert(offset > (last.get(`${channel} ${lane}`) ?? 0), `${app.device} was shown ${number} out of order`);
    last.set(`${channel} ${lane}`, offset);
  }
}

/** The server takes nothing for handled that is not. */
async function checkPlace(world: DayWorld, app: App): Promise<void> {
  const places = await world.engine.positionsOf(app.device);
  const handled = new Set(app.handled);
  for (const [channel, { offsets }] of places) {
    for (const message of world.rules.in(channel)) {
      if (message.offset === 0 || message.offset > offsets[message.lane] || handled.has(message.number))
        continue;
      const fate = world.rules.fateOf(world.party(app), message);
      const isOwed = (fate === "owed" || fate === "had") && world.rules.isKept(message);
      assert(
        !isOwed || isLeft(world, app, message),
        `${app.device} stands beyond ${told(message)} in ${channel}`,
      );
    }
  }
}

/**
 * Receipts add up. After a crash they may lack what was counted in the second before, and count again what was done again;
 * `read` and who has it are not looked at then.
 */
async function checkCounts(world: DayWorld, message: Message): Promise<void> {
  const { recipients, sent, received, read, shaken, again } = message;
  const doubt = message.doubted.size;
  const funnel = (await world.hub.receipts.funnel(message.id)) ?? NOTHING;
  const expired = world.rules.isKept(message) ? 0 : Math.max(0, funnel.recipients - funnel.sent);
  const what = `${told(message)} in ${message.channel}`;
  const say = () =>
    `${what}: ${JSON.stringify(funnel)}, and not ${recipients}, ${sent.size}, ${received.size}, ${read.size}`;
  assert(funnel.expired === expired, `${say()}, ${expired}`);
  const isWithin = (count: number, size: number, less: number, more: number) =>
    count >= size - less && count <= size + more;
  if (!world.isRough) {
    assert(funnel.recipients === recipients && funnel.read === read.size, say());
    assert(isWithin(funnel.sent, sent.size, doubt, 0), say());
    assert(isWithin(funnel.received, received.size, 0, doubt), say());
    return;
  }
  assert(isWithin(funnel.recipients, recipients, shaken.recipients, 0), say());
  assert(isWithin(funnel.sent, sent.size, shaken.sent + doubt, again.sent + doubt), say());
  assert(isWithin(funnel.received, received.size, shaken.received, again.received + doubt), say());
}

const NOTHING = { recipients: 0, sent: 0, received: 0, read: 0, expired: 0 };

async function checkNames(world: DayWorld, message: Message): Promise<void> {
  if (world.isRough) return;
  const rows = await world.hub.receipts.of(message.id, "", 100);
  const isSure = (id: string) => !message.doubted.has(id);
  const isThere = (id: string) => world.rules.parties.get(id)?.isRemoved === false;
  const columns = [
    ["sent", rows.filter(({ sentMs }) => sentMs !== undefined), [...message.sent.keys()]],
    ["received", rows.filter(({ receivedMs }) => receivedMs !== undefined), [...message.received.keys()]],
    ["read", rows.filter(({ readMs }) => readMs !== undefined), [...message.read]],
  ] as const;
  for (const [column, found, ruled] of columns) {
    const is = found
      .map(({ device }) => device)
      .filter(isSure)
      .sort()
      .join();
    const should = ruled
      .filter((id) => isThere(id) && isSure(id))
      .sort()
      .join();
    assert(is === should, `${told(message)} in ${message.channel}: ${column} by ${is}, and not by ${should}`);
  }
}

async function checkRemoved(world: DayWorld): Promise<void> {
  for (const { id, isRemoved } of world.rules.parties.values()) {
    if (!isRemoved) continue;
    const { engine } = world;
    const places = [...(await engine.positionsOf(id)).keys()];
    assert(places.length === 0, `${id} was removed and still stands in ${places}`);
    assert((await engine.record("device", id)) === undefined, `${id} was removed and has a record`);
    const receipts = await world.hub.receipts.ofDevice(id, "", 10);
    assert(receipts.length === 0, `${id} was removed and has ${receipts.length} receipts`);
    assert((await engine.channel(`$device/${id}`)) === undefined, `${id} was removed and has a channel`);
  }
}

/** All leave, and the hub has forgotten them. */
async function checkEmpty(world: DayWorld): Promise<void> {
  for (const link of [...world.lines.keys()]) link.end(1000);
  await world.pass(2_000);
  const figures = world.hub.figures;
  const { subscriptions, watchedChannels, devices } = figures;
  const rest = [world.hub.connections, subscriptions, watchedChannels, devices];
  assert(
    rest.every((count) => count === 0),
    `all have left, and there are ${rest}`,
  );
  // The sweeps of liveness and of receipts, and the engine's.
  const { pendingTimers } = world.clock;
  assert(pendingTimers <= 3 || world.isRough, `all have left, and ${pendingTimers} timers are set`);
}
