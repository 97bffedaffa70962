/** `carillon devices rotate` and `revoke`: a device's token. */
import { printable } from "../../lib/printable.ts";
import { command } from "../command.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "../endpoint.ts";
import { DONE } from "../help.ts";
import { Api } from "../http.ts";
import { patiently } from "../progress.ts";
import { credentials, pathOf } from "./view.ts";

export const rotateToken = command({
  name: "devices rotate",
  group: "Use it",
  about: "give one a new token in place of the old one",
  text: [
    "Prints a new token, this once. The old one is withdrawn at once: who is connected by it is cut off. All that is kept of the device stays.",
  ],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["TOKEN=$(carillon devices rotate d_7Hq2mXc9TzR4vKpWb1Ns)"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    const answer = await patiently(io, api.url, api.json("POST", `${pathOf(id)}/token`, credentials));
    if (flags.json !== undefined) io.out(JSON.stringify(answer));
    else {
      io.err(`The new token of ${printable(answer.id)} is shown this once:`);
      io.out(answer.token);
    }
    return DONE;
  },
});

export const revokeToken = command({
  name: "devices revoke",
  group: "Use it",
  about: "withdraw one's token; who is connected by it is cut off",
  text: [
    "Withdraws a device's token at once. What is kept of the device stays, also what is pushed to it meanwhile; carillon devices rotate gives it another token.",
  ],
  args: ["ID"],
  flags: { ...endpointFlags, ...jsonFlag },
  examples: ["carillon devices revoke d_7Hq2mXc9TzR4vKpWb1Ns"],
  async run({ args: [id], flags }, io) {
    const api = new Api(readEndpoint(flags, io), io);
    await patiently(io, api.url, api.done("DELETE", `${pathOf(id)}/token`));
    const said = `Revoked the token of ${printable(id)}`;
    io.out(flags.json === undefined ? said : JSON.stringify({ id, revoked: true }));
    return DONE;
  },
});
