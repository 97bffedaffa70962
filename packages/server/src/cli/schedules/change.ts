/** `carillon schedules pause`, `resume`, `run` and `delete`. */
import { printable } from "../../lib/printable.ts";
import { command } from "../command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { DONE } from "../help.ts";
import { Api } from "../http.ts";
import { patiently } from "../progress.ts";
import { pathOf, run, view } from "./view.ts";
import { nextInWords } from "./words.ts";

export const pauseSchedule = command({
  name: "schedules pause",
  group: "Use it",
  about: "switch one off until it is resumed",
  text: ["Switches a schedule off at once. What would be due meanwhile is not made up for later."],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon schedules pause k3v9ZqaB"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const body = { enabled: false };
    const paused = await patiently(io, api.url, api.json("PATCH", pathOf(id), view, { body }));
    io.out(flags.json === undefined ? `Paused ${printable(paused.id)}` : JSON.stringify(paused));
    return DONE;
  },
});

export const resumeSchedule = command({
  name: "schedules resume",
  group: "Use it",
  about: "switch one on again",
  text: ["Switches a schedule on again at once, and says when it is due next."],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon schedules resume k3v9ZqaB"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const body = { enabled: true };
    const resumed = await patiently(io, api.url, api.json("PATCH", pathOf(id), view, { body }));
    const next = nextInWords(resumed, io.clock.wallMs());
    io.out(
      flags.json === undefined ? `Resumed ${printable(resumed.id)}, next ${next}` : JSON.stringify(resumed),
    );
    return DONE;
  },
});

export const runSchedule = command({
  name: "schedules run",
  group: "Use it",
  about: "publish now what one publishes",
  text: ["Publishes now, also if the schedule is paused. When its other runs are due stays as it is."],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon schedules run k3v9ZqaB"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const made = await patiently(io, api.url, api.json("POST", `${pathOf(id)}/run`, run));
    io.out(flags.json === undefined ? `Published what ${printable(id)} says` : JSON.stringify(made));
    return DONE;
  },
});

export const deleteSchedule = command({
  name: "schedules delete",
  group: "Use it",
  about: "delete one, with the list of its runs",
  text: ["Deletes a schedule for good, and with it the list of its runs. What it has published stays."],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon schedules list", "carillon schedules delete k3v9ZqaB"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    await patiently(io, api.url, api.done("DELETE", pathOf(id)));
    io.out(flags.json === undefined ? `Deleted ${printable(id)}` : JSON.stringify({ id, deleted: true }));
    return DONE;
  },
});
