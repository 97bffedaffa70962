/** This browser as a device: who it is, what it wants of its inbox and when, and whether it is reached while the page is closed. */
import type { Device, PushSwitch } from "@carillon/client/device";
import {
  type ClosedPage,
  closedPage,
  switchClosedPageOff,
  switchClosedPageOn,
  tellSubscription,
} from "./closed-page.ts";
import { byId } from "./dom.ts";
import type { TextName } from "./texts.ts";

export interface DeviceCardPorts {
  /** `undefined` while it is none. */
  readonly device: Device | undefined;
  /** The server's address. */
  readonly server: string;
  text(name: TextName, value?: string | number): string;
  /** Tells the person that something did not work. */
  failed(error: unknown): void;
  /** The channel that the page receives, once it is known. */
  channel(): string | undefined;
  /** The person wants it to be a device, or not to be one any more. */
  wants(device: boolean): void;
}

/** What stands where the switch of a page that is closed is. */
const CLOSED_HINTS: Readonly<Record<ClosedPage, TextName>> = {
  impossible: "closedPageImpossible",
  denied: "closedPageDenied",
  off: "closedPageOff",
  on: "closedPageOn",
};

/** Sets the card up; returns what shows it again after a change of language or state. */
export function setUpDeviceCard(ports: DeviceCardPorts): () => void {
  const { device, wants } = ports;
  byId("no-device").hidden = device !== undefined;
  byId("is-device").hidden = device === undefined;
  byId("make-device").addEventListener("click", () => wants(true));
  if (device === undefined) return () => {};
  byId("forget-device").addEventListener("click", () => wants(false));
  const card = new DeviceCard(ports, device);
  return () => card.show();
}

/** For whom what comes in a channel of the inbox is. */
export function forWhom(channel: string, text: DeviceCardPorts["text"]): string {
  if (channel === "$all") return text("toEveryone");
  return channel.startsWith("$user/") ? text("toUser", channel.slice("$user/".length)) : text("toDevice");
}

class DeviceCard {
  readonly #ports: DeviceCardPorts;
  readonly #device: Device;
  #closedPage: ClosedPage = "impossible";

  constructor(ports: DeviceCardPorts, device: Device) {
    this.#ports = ports;
    this.#device = device;
    byId("device-zone").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
    device.on("switch", () => this.show());
    device.on("revoked", () => {
      byId("revoked").hidden = false;
    });
    device.carillon.on("state", ({ status }) => {
      if (status === "open") void this.#entered();
    });
    byId("register-anew").addEventListener("click", () => {
      byId("revoked").hidden = true;
      this.#try(() => device.register());
    });
    this.#setUpTags();
    this.#setUpQuietHours();
    byId("closed-page").addEventListener("click", () => this.#try(() => this.#toggleClosedPage()));
  }

  show(): void {
    byId("device-id").textContent = this.#device.id ?? "…";
    this.#showInbox();
    const { quietHours } = this.#switchOf(this.#channels[0]) ?? {};
    byId("quiet").ariaChecked = String(quietHours !== undefined);
    if (quietHours !== undefined) {
      byId<HTMLInputElement>("quiet-from").value = quietHours.from;
      byId<HTMLInputElement>("quiet-to").value = quietHours.to;
    }
    const closed = byId<HTMLButtonElement>("closed-page");
    closed.ariaChecked = String(this.#closedPage === "on");
    closed.disabled = this.#closedPage === "impossible" || this.#closedPage === "denied";
    byId("closed-hint").textContent = this.#ports.text(CLOSED_HINTS[this.#closedPage]);
  }

  /** It is connected, and so has an identity. */
  async #entered(): Promise<void> {
    byId("revoked").hidden = true;
    this.show();
    this.#try(async () => {
      await tellSubscription(this.#device);
      const { tags = [] } = await this.#device.info();
      // The person may be typing.
      const input = byId<HTMLInputElement>("tags");
      if (document.activeElement !== input) input.value = tags.join(" ");
    });
    this.#closedPage = await closedPage();
    this.show();
  }

  #setUpTags(): void {
    const input = byId<HTMLInputElement>("tags");
    byId<HTMLFormElement>("tags-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const tags = input.value.split(/[\s,]+/).filter((tag) => tag !== "");
      this.#try(async () => {
        const known = await this.#device.update({ tags });
        input.value = (known.tags ?? []).join(" ");
      });
    });
  }

  /** The channels that the page receives, the inbox among them. */
  get #channels(): readonly string[] {
    const channel = this.#ports.channel();
    return channel === undefined ? this.#device.inbox : [channel, ...this.#device.inbox];
  }

  #switchOf(channel: string | undefined): PushSwitch | undefined {
    return channel === undefined ? undefined : this.#device.switchOf(channel);
  }

  #setUpQuietHours(): void {
    const from = byId<HTMLInputElement>("quiet-from");
    const to = byId<HTMLInputElement>("quiet-to");
    const isOn = () => byId("quiet").ariaChecked === "true";
    const set = (on: boolean) => {
      const quietHours = on ? { from: from.value, to: to.value } : null;
      this.#try(async () => {
        for (const channel of this.#channels) await this.#device.switch(channel, { quietHours });
      });
    };
    byId("quiet").addEventListener("click", () => set(!isOn()));
    for (const input of [from, to]) {
      input.addEventListener("change", () => {
        if (isOn() && from.reportValidity() && to.reportValidity()) set(true);
      });
    }
  }

  #showInbox(): void {
    const { text } = this.#ports;
    const rows = this.#device.inbox.map((channel) => {
      const label = document.createElement("span");
      label.textContent = forWhom(channel, text);
      const isOn = this.#switchOf(channel)?.push ?? true;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "switch";
      button.role = "switch";
      button.ariaChecked = String(isOn);
      button.ariaLabel = label.textContent;
      button.dataset["channel"] = channel;
      button.append(document.createElement("span"));
      button.addEventListener("click", () => this.#try(() => this.#device.switch(channel, { push: !isOn })));
      const row = document.createElement("div");
      row.className = "row";
      row.append(label, button);
      return row;
    });
    const inbox = byId("inbox");
    const focused = (document.activeElement as HTMLElement | null)?.dataset["channel"];
    inbox.replaceChildren(...rows);
    // Whoever switches by keyboard goes on where they were.
    if (focused !== undefined) {
      inbox.querySelector<HTMLElement>(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
    }
  }

  async #toggleClosedPage(): Promise<void> {
    try {
      if (this.#closedPage === "on") await switchClosedPageOff(this.#device);
      else await switchClosedPageOn(this.#device, this.#ports.server);
    } finally {
      this.#closedPage = await closedPage();
      this.show();
    }
  }

  #try(deed: () => Promise<unknown>): void {
    deed().catch((error) => this.#ports.failed(error));
  }
}
