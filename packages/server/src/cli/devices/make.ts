/** `carillon devices register`, `set` and `remove`. */
import { ConfigError } from "../../config.ts";
import { printable } from "../../lib/printable.ts";
import { command } from "../command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { grantFlags, readGrants, saidGrants } from "../grants.ts";
import { DONE } from "../help.ts";
import { Api } from "../http.ts";
import { patiently } from "../progress.ts";
import { FIELDS, fieldFlags, readFields } from "./fields.ts";
import { credentials, device, pathOf } from "./view.ts";

export const registerDevice = command({
  name: "devices register",
  group: "Use it",
  about: "register one, and print its token",
  text: [
    "Registers a device and prints its token, this once: the server keeps only what it takes to recognise it. Its ID goes to standard error, so a script can take the token as it is.",
    "Apps do this by themselves; this is for a device whose token you put there, or of which you know the user.",
    "Its token may receive and read all channels, unless --subscribe, --publish, --history or --presence say what it may.",
  ],
  args: [],
  flags: { ...fieldFlags, ...grantFlags, ...endpointFlags, ...jsonFlag },
  examples: ["TOKEN=$(carillon devices register --platform kiosk --user shop-17 --tag lobby)"],
  async run({ flags }, io) {
    const body = { ...readFields(flags), ...saidGrants(readGrants(flags)) };
    const api = new Api(readEndpoint(flags, io), io);
    const made = await patiently(io, api.url, api.json("POST", "/v1/devices", credentials, { body }));
    if (flags.json !== undefined) io.out(JSON.stringify(made));
    else {
      io.err(`Device ${printable(made.id)} is registered. Its token is shown this once:`);
      io.out(made.token);
    }
    return DONE;
  },
});

export const setDevice = command({
  name: "devices set",
  group: "Use it",
  about: "change what is said of one",
  text: ["Changes what the flags name and leaves the rest as it is. Tags take the place of those before."],
  args: ["ID"],
  flags: {
    ...fieldFlags,
    remove: {
      value: "FLAG",
      about: `takes away what was said before; one of ${Object.keys(FIELDS).join(", ")}`,
      repeats: true,
    },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    "carillon devices set d_7Hq2mXc9TzR4vKpWb1Ns --tag beta --tag android",
    "carillon devices set d_7Hq2mXc9TzR4vKpWb1Ns --remove user",
  ],
  async run({ args: [id], flags }, io) {
    const removed = Object.fromEntries(flags.remove.map((flag) => [readRemoved(flag), null]));
    const body = { ...removed, ...readFields(flags) };
    if (Object.keys(body).length === 0) throw new ConfigError("say what is to change by a flag");
    const api = new Api(readEndpoint(flags, io), io);
    const changed = await patiently(io, api.url, api.json("PATCH", pathOf(id), device, { body }));
    io.out(flags.json === undefined ? `Changed ${printable(changed.id)}` : JSON.stringify(changed));
    return DONE;
  },
});

function readRemoved(flag: string): string {
  if (Object.hasOwn(FIELDS, flag)) return FIELDS[flag as keyof typeof FIELDS];
  throw new ConfigError(`--remove ${JSON.stringify(flag)}: expected ${Object.keys(FIELDS).join(", ")}`);
}

export const removeDevice = command({
  name: "devices remove",
  group: "Use it",
  about: "delete one and all that is kept of it",
  text: [
    "Deletes a device for good: its token, its push switches, what was pushed to it alone and how far it had read. If it is connected, it is cut off.",
  ],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon devices remove d_7Hq2mXc9TzR4vKpWb1Ns"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    await patiently(io, api.url, api.done("DELETE", pathOf(id)));
    io.out(flags.json === undefined ? `Removed ${printable(id)}` : JSON.stringify({ id, removed: true }));
    return DONE;
  },
});
