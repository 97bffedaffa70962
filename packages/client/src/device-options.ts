/** What an app says of its device. */
import type { CarillonOptions } from "./options.ts";
import type { Platform } from "./platform.ts";

/** Who a device is. The token is a secret, and the server tells it once. */
export interface Identity {
  readonly id: string;
  readonly token: string;
}

/** What an app says of itself. */
export interface DeviceProfile {
  /** `web`, `android`, … */
  readonly platform?: string;
  readonly appVersion?: string;
  /** BCP 47; the machine's unless given. */
  readonly locale?: string | undefined;
  /** An IANA name, by which quiet hours go; the machine's unless given. */
  readonly timeZone?: string | undefined;
  /** At most 16. */
  readonly tags?: readonly string[];
}

/** A browser's `PushSubscription.toJSON()`, as loosely as the standard has it; the server looks whether all is there. */
interface WebPush {
  readonly endpoint?: string;
  readonly expirationTime?: number | null;
  /** By which messages are encrypted (RFC 8291): `p256dh` and `auth`. */
  readonly keys?: Readonly<Record<string, string>>;
}

/** What can be changed later. `null` removes. */
export type DeviceChanges = { readonly [Name in keyof DeviceProfile]?: DeviceProfile[Name] | null } & {
  /** Where the browser is reached while the app is closed. */
  readonly webPush?: WebPush | null;
  /** The same by a UnifiedPush distributor; without keys messages are not encrypted. */
  readonly unifiedPush?: { readonly endpoint: string; readonly keys?: WebPush["keys"] } | null;
};

/** What the server knows of a device. */
export interface DeviceInfo extends DeviceProfile {
  readonly id: string;
  readonly user?: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly lastSeenAt: string;
}

/** The part of the standard `fetch` that is used. */
export type Fetch = (
  url: string,
  init: { readonly method: string; readonly headers: Record<string, string>; readonly body: string | null },
) => Promise<{ readonly ok: boolean; readonly status: number; json(): Promise<unknown> }>;

export interface DeviceOptions
  extends Omit<CarillonOptions, "device" | "onFrame" | "platform" | "token">,
    DeviceProfile {
  /** With which right it registers, where the server does not let everybody: a JWT of the app's backend, which names the user. */
  readonly authorization?: string | (() => string | Promise<string>);
  /**
   * Whether it registers anew when the app starts with a token that the server does not know any more: it was away for too
   * long. Yes unless `false`. A token that is withdrawn while it is in use is never replaced by itself.
   */
  readonly reregister?: boolean;
  /** Who says what has been handled of the inbox; see `ChannelOptions`. */
  readonly acks?: "auto" | "manual";
  /** The global one unless given. */
  readonly fetch?: Fetch;
  /** Time, chance and sockets, for tests. */
  readonly machine?: Platform;
}
