/** An app that is a device of a fake server, and what it was told. */
import type { Reply } from "@carillon/protocol/frames";
import { Device } from "../device.ts";
import type { DeviceEvents, InboxPublication } from "../device-events.ts";
import type { DeviceOptions } from "../device-options.ts";
import { memoryStore } from "../stores.ts";
import { FakeApi } from "./fake-api.ts";
import { FakeServer, TIME } from "./fake-server.ts";

type Connected = Omit<Extract<Reply, { type: "connected" }>, "id">;

/** A server that knows a device by its token, and turns away those with one that it does not know. */
export class DeviceServer extends FakeServer {
  readonly revoked = new Set<string>();
  user: string | undefined;

  constructor() {
    super({
      connect: ({ token = "" }) => {
        const [, number] = token.split("_");
        if (!this.revoked.has(token)) return this.connected(`d_${number}`);
        // The answer is on its way before the end of the connection.
        void Promise.resolve().then(() => this.platform.socket.end(4500, "the token is not valid"));
        return { type: "error", code: "invalid_token", message: "the token is not valid" };
      },
    });
  }

  connected(device: string): Connected {
    const bounds = { idleTimeoutMs: 1_200_000, maxFrameBytes: 65_536 };
    const user = this.user === undefined ? [] : [`$user/${this.user}`];
    const inbox = [`$device/${device}`, ...user, "$all"];
    return { type: "connected", session: "s", time: TIME, ...bounds, defaultChannel: "push", device, inbox };
  }
}

type Told = { [Name in keyof DeviceEvents]: DeviceEvents[Name][] };

export function startDevice({
  server = new DeviceServer(),
  api = new FakeApi(),
  store = memoryStore(),
  ...options
}: DeviceOptions & { readonly server?: DeviceServer; readonly api?: FakeApi } = {}) {
  const device = new Device("https://h/base", {
    machine: server.platform,
    fetch: api.fetch,
    heartbeatMs: undefined,
    locale: "en-GB",
    timeZone: "Europe/London",
    store,
    ...options,
  });
  const told: Told = {
    publication: [],
    gap: [],
    withdrawn: [],
    switch: [],
    registered: [],
    revoked: [],
    error: [],
  };
  const hear = <Name extends Exclude<keyof DeviceEvents, "publication">>(name: Name) =>
    device.on(name, (value) => told[name].push(value));
  for (const name of ["gap", "withdrawn", "switch", "registered", "revoked", "error"] as const) hear(name);
  /** Listens to the inbox. */
  const listen = (listener?: (publication: InboxPublication) => unknown) =>
    device.on("publication", (publication) => {
      told.publication.push(publication);
      return listener?.(publication);
    });
  return { device, server, api, store, told, listen };
}
