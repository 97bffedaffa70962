/** Which channel the page receives, and the token that allows it. */
import { channelNameProblem } from "@carillon/protocol/channel";
import { byId } from "./dom.ts";
import type { Settings } from "./settings.ts";

/** Sets the card up. `changed` is called when the person has confirmed another channel or token. */
export function setUpAccessCard(settings: Settings, changed: () => void): void {
  const channel = byId<HTMLInputElement>("channel");
  const token = byId<HTMLInputElement>("token");
  channel.value = settings.channel;
  token.value = settings.token;
  byId<HTMLDetailsElement>("access").open = settings.channel !== "" || settings.token !== "";

  channel.addEventListener("input", () => channel.setCustomValidity(""));
  byId<HTMLFormElement>("access-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = channel.value.trim();
    channel.setCustomValidity(name === "" ? "" : (channelNameProblem(name) ?? ""));
    if (!channel.reportValidity()) return;
    settings.channel = name;
    settings.token = token.value.trim();
    changed();
  });
}
