/** What the tests of the hub and the gateway hand in where it does not matter. */
import { MAX_FRAME_BYTES } from "@carillon/protocol/limits";
import { createMetrics } from "../../lib/metrics.ts";
import { type Authenticate, adminAccess, adminKeyKind, authenticator, type TokenKind } from "../access.ts";
import { Devices } from "../devices/devices.ts";
import { noEvents } from "../events.ts";
import { Hub, type HubPorts } from "../hub.ts";
import type { Limits } from "../limits.ts";

export const ADMIN_KEY = "an-admin-key-for-tests";

export const admin = adminAccess("admin");

export function testAuthenticator(anonymous = true, kinds: readonly TokenKind[] = []) {
  const admins = adminKeyKind(() => ADMIN_KEY);
  return authenticator({ kinds: [admins, ...kinds], defaultChannel: "push", anonymous });
}

type Ports = Omit<HubPorts, "devices" | "timeZone" | "authenticate"> & {
  readonly authenticate?: Authenticate | undefined;
  readonly forgetAfterMs?: number;
};

/** A hub with the registry of its devices, which know each other as in a server. */
export function openHub({ authenticate, forgetAfterMs = 90 * 86_400_000, ...ports }: Ports) {
  const devices: Devices = new Devices({
    ...ports,
    forgetAfterMs: () => forgetAfterMs,
    mayAnybody: (grant, channel) => channel === "push" && (grant === "subscribe" || grant === "history"),
    isConnected: (id) => hub.isConnected(id),
    changed: (change) => hub.deviceChanged(change),
    receiptsOf: (id, after, limit) => hub.receipts.ofDevice(id, after, limit),
  });
  const hub: Hub = new Hub({
    ...ports,
    devices,
    timeZone: "UTC",
    authenticate: authenticate ?? testAuthenticator(true, [devices.kind]),
  });
  return { hub, devices };
}

export function testLimits(): Limits {
  return {
    maxConnections: 1_000,
    maxConnectionsPerAddress: 1_000,
    maxStreams: 1_000,
    maxHandshakesPerSecond: 10_000,
    maxFramesPerSecond: 1_000,
    maxBytesPerSecond: 16 * 1024 * 1024,
    maxPublishesPerSecond: 1_000_000,
    maxSubscriptions: 1_000,
    maxRegistrationsPerMinute: 100_000,
  };
}

export function testPorts() {
  return { maxFrameBytes: MAX_FRAME_BYTES, limits: testLimits(), metrics: createMetrics(), events: noEvents };
}
