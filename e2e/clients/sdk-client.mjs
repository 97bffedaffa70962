// The SDK on Node, with the `ws` package for a socket, driven line by line; see e2e/sdk-node.test.ts.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

const [library, url, token, storePath] = process.argv.slice(2);
const { Carillon, fileStore } = await import(pathToFileURL(library).href);
const carillon = new Carillon(url, {
  token,
  WebSocket,
  ...(storePath !== undefined && { store: fileStore(storePath) }),
});
const channel = carillon.channel("numbers");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

carillon.on("error", ({ code, message }) => tell({ error: code, message }));
carillon.on("state", ({ status }) => tell({ status }));
channel.on("state", (state) => tell({ state }));
channel.on("gap", (gap) => tell({ gap }));
channel.on("error", ({ code, message }) => tell({ error: code, message }));

/** Until it is known to be published, whatever happens to the server meanwhile. */
async function publish(data) {
  for (;;) {
    try {
      return await channel.publish(data, { idempotencyKey: `number-${data}` });
    } catch (error) {
      if (!["connection_lost", "timeout", "storage_unavailable"].includes(error.code)) throw error;
    }
  }
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { listen, from, to, close } = JSON.parse(line);
  // A slow app: every fifth takes its time.
  const handle = async ({ data }) => {
    if (data % 5 === 0) await pause(2);
    tell({ data });
  };
  if (listen) channel.on("publication", handle);
  if (from) {
    for (let data = from; data <= to; data++) {
      await publish(data);
      await pause(2);
    }
    tell({ published: to });
  }
  if (close) {
    carillon.close();
    process.exit();
  }
});
