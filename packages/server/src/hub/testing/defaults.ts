/** What the tests of the hub and the gateway hand in where it does not matter. */
import { MAX_FRAME_BYTES } from "@carillon/protocol/limits";
import { createMetrics } from "../../lib/metrics.ts";
import { adminAccess, adminKeyKind, authenticator } from "../access.ts";
import { noEvents } from "../events.ts";
import type { Limits } from "../limits.ts";

export const ADMIN_KEY = "an-admin-key-for-tests";

export const admin = adminAccess("admin");

export function testAuthenticator(anonymous = true) {
  return authenticator({ kinds: [adminKeyKind(() => ADMIN_KEY)], defaultChannel: "push", anonymous });
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
  };
}

export function testPorts() {
  return { maxFrameBytes: MAX_FRAME_BYTES, limits: testLimits(), metrics: createMetrics(), events: noEvents };
}
