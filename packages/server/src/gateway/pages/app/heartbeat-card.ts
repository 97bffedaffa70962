/** The heartbeat's interval: a choice, or a number of seconds that the person types. */
import { byId } from "./dom.ts";
import { isHeartbeat, type Settings } from "./settings.ts";
import type { TextName } from "./texts.ts";

const CHOICES: readonly (readonly [seconds: number, name: TextName])[] = [
  [0, "off"],
  [30, "every30s"],
  [60, "every1m"],
  [240, "every4m"],
  [600, "every10m"],
];
const CUSTOM = "custom";

/** Sets the card up. `changed` is called when the person has chosen another interval. */
export function setUpHeartbeatCard(settings: Settings, changed: () => void): void {
  const interval = byId<HTMLSelectElement>("interval");
  const custom = byId<HTMLInputElement>("custom");
  const customRow = byId("custom-row");

  for (const [seconds, name] of CHOICES) interval.append(optionOf(String(seconds), name));
  interval.append(optionOf(CUSTOM, "custom"));

  const isChoice = CHOICES.some(([seconds]) => seconds === settings.heartbeatSeconds);
  interval.value = settings.customHeartbeat || !isChoice ? CUSTOM : String(settings.heartbeatSeconds);
  custom.value = String(settings.heartbeatSeconds || "");
  customRow.hidden = interval.value !== CUSTOM;

  interval.addEventListener("change", () => {
    settings.customHeartbeat = interval.value === CUSTOM;
    customRow.hidden = !settings.customHeartbeat;
    if (settings.customHeartbeat) {
      custom.value = String(settings.heartbeatSeconds || "");
      custom.focus();
    } else settings.heartbeatSeconds = Number(interval.value);
    changed();
  });
  custom.addEventListener("change", () => {
    // The browser marks what is no number of seconds; the interval stays what it was.
    if (!custom.reportValidity() || !isHeartbeat(custom.valueAsNumber)) return;
    settings.heartbeatSeconds = custom.valueAsNumber;
    changed();
  });
}

function optionOf(value: string, name: TextName): HTMLOptionElement {
  const option = document.createElement("option");
  option.value = value;
  option.dataset["text"] = name;
  return option;
}
