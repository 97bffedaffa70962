/** What an app is told of its device, and may ask of it. */
import type { Gap, PushSwitch, QuietHours } from "@carillon/protocol/frames";
import type { Received } from "./channel-events.ts";
import type { Identity } from "./device-options.ts";
import type { CarillonError } from "./errors.ts";

/** A publication of the device's inbox. */
export interface InboxPublication extends Received {
  /** For whom it is: `$device/ID`, `$user/USER` or `$all`. */
  readonly channel: string;
}

export interface SwitchChanges {
  readonly push?: boolean;
  /** `null` ends them. */
  readonly quietHours?: QuietHours | null;
}

export interface DeviceEvents {
  /** What is sent to the device, its user, its tags and everyone. */
  publication: InboxPublication;
  /** Something of the inbox cannot be had any more. */
  gap: { readonly channel: string; readonly gap: Gap };
  /** The id of a publication that is not to be shown any more: another of the user's devices has handled it, and this one has not. */
  withdrawn: string;
  /** How a push switch stands: when it is first known, and whenever it changes, whoever changed it. */
  switch: { readonly channel: string } & PushSwitch;
  /** The server has given it an identity. */
  registered: Identity;
  /** Its token has been withdrawn, and it stays away: until `register`, or `use` with a token of the backend's. */
  revoked: Identity;
  /** It cannot be registered, or a listener failed. What passes by itself is told by `carillon`. */
  error: CarillonError;
}
