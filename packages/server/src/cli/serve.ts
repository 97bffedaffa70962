/** `carillon serve`: the server, from its flags to its exit code. */

import type { NewAdminKey } from "../admin-key.ts";
import { type Config, isSwitch, type OptionName, readConfig, type Source, variableOf } from "../config.ts";
import { readConfigFile } from "../config-file.ts";
import type { Option } from "../options/option.ts";
import { options } from "../options/options.ts";
import { type RunningServer, startServer } from "../server.ts";
import { command } from "./command.ts";
import type { FlagTable } from "./flags.ts";
import { DONE } from "./help.ts";
import { onReloadSignal } from "./signals.ts";

export const serve = command({
  name: "serve",
  group: "Run a server",
  about: "run the push server",
  text: [
    "Runs the push server with its app page.",
    "A flag wins over the environment, the environment over the file.",
  ],
  args: [],
  flags: {
    ...flagTable(),
    config: { value: "FILE", about: "a .toml, .json or .yaml file with the same keys" },
  },
  examples: [
    "carillon serve --port 9100 --push-every 30s",
    "CARILLON_PUSH_EVERY=off carillon serve --config carillon.toml",
  ],
  async run({ flags: { config: path, ...flags } }, io) {
    const read = () => readConfig(flags as Source, io.env, path === undefined ? {} : readConfigFile(path));
    const stopSignal = io.stopSignal();
    let config = read();
    let server: RunningServer | undefined;
    onReloadSignal(() => {
      config = reload(server, read) ?? config;
    });
    for (;;) {
      server = await startServer(config);
      if (server.newAdminKey !== undefined) io.out(keyAnnouncement(config, server.newAdminKey));
      io.out(announcement(config, server.port));
      const signal = await Promise.race([stopSignal, server.restartWanted]);
      if (signal !== undefined) server.log.debug(`${signal} received, stopping`);
      await server.stop();
      if (signal !== undefined) return DONE;
      // Where the system picked a port, clients come back to the same one.
      config = { ...config, port: server.port };
    }
  },
});

/** What is in force from now on; `undefined` for one that is wrong, which changes nothing. */
function reload(server: RunningServer | undefined, read: () => Config): Config | undefined {
  try {
    const changed = read();
    server?.reload(changed);
    return changed;
  } catch (error) {
    server?.log.error(`Not reloaded: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

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

function flagTable(): FlagTable {
  const names = Object.keys(options) as OptionName[];
  const flags = names.map((name) => {
    const { placeholder, about, initial, shown = initial } = options[name] as Option<unknown>;
    const value = isSwitch(name) ? {} : { value: placeholder };
    return [name, { ...value, about, initial: shown, variable: variableOf(name) }] as const;
  });
  return Object.fromEntries(flags);
}
