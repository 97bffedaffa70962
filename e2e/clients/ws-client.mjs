// `ws` on Node, driven line by line; see e2e/support/client.ts.
import { createInterface } from "node:readline";
import WebSocket from "ws";

const socket = new WebSocket(process.argv[2]);
const tell = (event) => process.stdout.write(`${JSON.stringify({ ...event, at: Date.now() })}\n`);

socket.on("open", () => tell({ event: "open" }));
socket.on("message", (data) => tell({ event: "message", data: data.toString("utf8") }));
socket.on("ping", () => tell({ event: "ping" }));
socket.on("error", () => {});
socket.on("close", (code, reason) => tell({ event: "close", code, reason: reason.toString("utf8") }));

createInterface({ input: process.stdin }).on("line", (line) => {
  const { send, times = 1, binary, close } = JSON.parse(line);
  if (send !== undefined) for (let sent = 0; sent < times; sent++) socket.send(send);
  if (binary !== undefined) socket.send(Buffer.alloc(binary));
  if (close) socket.close(1000);
});
