/** `carillon serve`: the server, from its flags to its exit code. */

import type { NewAdminKey } from "../admin-key.ts";
import { type Config, isSwitch, type OptionName, readConfig, type Source, variableOf } from "../config.ts";
import { readConfigFile } from "../config-file.ts";
import type { Option } from "../options/option.ts";
import { options } from "../options/options.ts";
import { startServer } from "../server.ts";
import type { Command } from "./command.ts";
import { readFlags } from "./flags.ts";
import { nextStopSignal } from "./signals.ts";

export const serve: Command = {
  name: "serve",
  about: "run the push server",
  usage: usage(),
  async run(args, io) {
    const { config: path, ...flags } = readFlags(args, [...names(false), "config"], names(true));
    const file = path === undefined ? {} : readConfigFile(path);
    const config = readConfig(flags as Source, io.env, file);
    const stopSignal = nextStopSignal();
    const server = await startServer(config);
    if (server.newAdminKey !== undefined) io.out(keyAnnouncement(config, server.newAdminKey));
    io.out(announcement(config, server.port));
    server.log.debug(`${await stopSignal} received, stopping`);
    await server.stop();
    return 0;
  },
};

/** Printed whatever the log level is: with port 0 it is the only place that says where the server is. */
function announcement({ log, tlsCert }: Config, port: number): string {
  const scheme = tlsCert === "" ? "http" : "https";
  const message = `Carillon is listening on ${scheme}://localhost:${port}/`;
  return log === "json" ? JSON.stringify({ level: "info", message, port }) : message;
}

/** The one time that the key is shown. */
function keyAnnouncement({ log, data }: Config, { key, keptIn }: NewAdminKey): string {
  const where = keptIn === undefined ? "valid until the server stops" : `kept in ${keptIn}`;
  const message = `Admin key, shown this once, ${where}: ${key}`;
  return log === "json" ? JSON.stringify({ level: "info", message, data }) : message;
}

function names(switches: boolean): OptionName[] {
  return (Object.keys(options) as OptionName[]).filter((name) => isSwitch(name) === switches);
}

function usage(): string {
  const rows = (Object.keys(options) as OptionName[]).map((name) => {
    const { placeholder, about, initial, shown = initial } = options[name] as Option<unknown>;
    return `  --${`${name} ${placeholder}`.padEnd(26)} ${about}\n${" ".repeat(31)}(${shown}; ${variableOf(name)})`;
  });
  return [
    "carillon serve [flags]",
    "",
    "Runs the push server with its app page.",
    "",
    ...rows,
    `  --${"config FILE".padEnd(26)} a .toml, .json or .yaml file with the same keys`,
    "",
    "A flag wins over the environment, the environment over the file.",
    "",
    "Examples",
    "  carillon serve --port 9100 --push-every 30s",
    "  CARILLON_PUSH_EVERY=off carillon serve --config carillon.toml",
  ].join("\n");
}
