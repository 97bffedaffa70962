/** What a switch is to be after a change, and how many a device may have. */
import { type Device, EVERYONE, type QuietHours, type Switch } from "./device.ts";

/** What to change of a switch; `null` ends the quiet hours. */
export interface SwitchPatch {
  readonly push?: boolean | undefined;
  readonly quietHours?: QuietHours | null | undefined;
}

/** Why something was not done. */
export class DeviceRefused extends Error {
  override readonly name = "DeviceRefused";
  readonly code: "too_many_subscriptions" | "unknown_device";
  constructor(code: DeviceRefused["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Switches of one device: its record, some 300 KB with as many of the longest names, is read and written as a whole. */
const MAX_SUBSCRIPTIONS = 1_000;

/**
 * `subscriptions` with others besides.
 * @throws {DeviceRefused} if these are too many.
 */
export function withSwitches(
  subscriptions: Device["subscriptions"],
  added: Device["subscriptions"],
): Device["subscriptions"] {
  const all = { ...subscriptions, ...added };
  const count = Object.keys(all).length;
  if (count > MAX_SUBSCRIPTIONS && count > Object.keys(subscriptions).length) {
    throw new DeviceRefused(
      "too_many_subscriptions",
      `a device has at most ${MAX_SUBSCRIPTIONS} subscriptions`,
    );
  }
  return all;
}

export function patched({ push, quietHours }: Switch, patch: SwitchPatch): Switch {
  const hours = patch.quietHours === undefined ? quietHours : (patch.quietHours ?? undefined);
  return { push: patch.push ?? push, ...(hours !== undefined && { quietHours: hours }) };
}

export function isSameSwitch(one: Switch, other: Switch): boolean {
  const [hours, others] = [one.quietHours, other.quietHours];
  return one.push === other.push && hours?.from === others?.from && hours?.to === others?.to;
}

/** The channel that a switch of this name is for; `undefined` for an inbox that the device does not have. */
export function switchedChannel(
  { id, user, isRegistered }: Pick<Device, "id" | "user" | "isRegistered">,
  name: string,
): string | undefined {
  if (!name.startsWith("$")) return name;
  if (!isRegistered || (name === "$user" && user === undefined)) return undefined;
  return name === EVERYONE ? name : `${name}/${name === "$user" ? user : id}`;
}
