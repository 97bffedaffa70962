/** Who takes part in a day of devices: apps with users, tags and zones, and how they come. */
import { type App, TextApp, V1App } from "./device-day-apps.ts";
import { inboxOf, type Message, type Party } from "./device-day-terms.ts";
import type { DayWorld } from "./device-day-world.ts";

export const CHANNELS = ["push", "news"] as const;
const TAGS = ["a", "b", "c"] as const;
export const USERS = ["ann", "bob"] as const;
export const ZONES = [
  "Europe/Berlin",
  "Asia/Tokyo",
  "America/New_York",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
] as const;
export const someTags = (world: DayWorld) => TAGS.filter(() => world.random() < 0.5);
export const names = ({ device }: App) => device.slice(0, 6);

/** Registers what takes part in the day, and lets it come. */
export async function populate(world: DayWorld): Promise<void> {
  const count = 3 + Math.floor(world.random() * 4);
  for (let index = 0; index < count; index++) {
    const tags = someTags(world);
    const zone = world.pick(ZONES);
    const user = world.random() < 0.7 ? world.pick(USERS) : undefined;
    const said = { tags, timeZone: zone, grants: { subscribe: ["*"] }, ...(user !== undefined && { user }) };
    const { device, token } = await world.devices.register(said, "admin");
    const channels = CHANNELS.filter(() => world.random() < 0.7);
    const isText = index >= 2 && world.random() < 0.4;
    const app = isText
      ? new TextApp(device.id, token, channels)
      : new V1App(device.id, token, channels, world.random() < 0.2);
    enter(world, app, { user, zone, tags, isRegistered: true });
  }
  const plain = new TextApp("phone-1", undefined, ["push"]);
  enter(world, plain, { user: undefined, zone: "UTC", tags: [], isRegistered: false });
  for (const app of world.apps.values()) if (world.random() < 0.8) await connect(world, app);
}

type Said = Pick<Party, "user" | "zone" | "isRegistered"> & { readonly tags: readonly string[] };

function enter(world: DayWorld, app: App, { user, zone, tags, isRegistered }: Said): void {
  const sets = {
    wishes: new Map(),
    places: new Set<string>(),
    fates: new Map(),
    written: new Set<Message>(),
  };
  const party: Party = {
    id: app.device,
    isRegistered,
    user,
    zone,
    tags: new Set(tags),
    isRemoved: false,
    ...sets,
  };
  for (const channel of inboxOf(party)) party.places.add(channel);
  world.rules.parties.set(app.device, party);
  world.apps.set(app.device, app);
  world.note(`${names(app)} is ${app.kind}, user ${user}, tags ${tags}, ${zone}, channels ${app.channels}`);
}

export async function connect(world: DayWorld, app: App): Promise<void> {
  world.note(`${names(app)} connects`);
  await world.connect(app);
}
