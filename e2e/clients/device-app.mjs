// An app that is a device, on Node, with the `ws` package for a socket, driven line by line; see e2e/devices.test.ts.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

const [library, url, storePath, tags] = process.argv.slice(2);
const { Device, fileStore } = await import(pathToFileURL(library).href);
const device = new Device(url, {
  store: fileStore(storePath),
  platform: "node",
  tags: tags.split(","),
  timeZone: "UTC",
  WebSocket,
});
const push = device.carillon.channel("push");
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

device.on("error", ({ code, message }) => tell({ error: code, message }));
device.on("switch", (change) => tell({ switch: change }));
device.on("publication", ({ id, data }) => tell({ inbox: data, id }));
device.on("withdrawn", (id) => tell({ withdrawn: id }));
push.on("publication", ({ data }) => tell({ push: data }));
push.on("state", (state) => tell({ state }));
device.on("registered", (identity) => tell({ registered: identity.id ?? identity }));

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { read, off } = JSON.parse(line);
  if (read) await device.read({ id: read.id, channel: read.channel });
  if (off) await device.switch("push", { push: false });
  tell({ done: line });
});
