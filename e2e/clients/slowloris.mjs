// So many connections that never finish what they have begun: each writes a start, and then a byte each half second. Tells
// when all are connected, and a line when one is cut off: after how many milliseconds, with which answer.
import { connect } from "node:net";
import { HANDSHAKE } from "./handshake.mjs";

const [port, count, kind, key] = process.argv.slice(2);
const BODY = `POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer ${key}\r\n`;
/** The head of a text frame of 60,000 bytes, masked with zeros. */
const FRAME = Buffer.from([0x81, 0xfe, 0xea, 0x60, 0, 0, 0, 0]);

const KINDS = {
  silence: ["", ""],
  headers: ["GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", "x"],
  handshake: [`${HANDSHAKE}X-Slow: `, "x"],
  body: [`${BODY}Content-Length: 60000\r\n\r\n`, "x"],
  chunks: [`${BODY}Transfer-Encoding: chunked\r\n\r\n`, "1\r\nx\r\n"],
  frame: [Buffer.concat([Buffer.from(`${HANDSHAKE}\r\n`), FRAME]), "x"],
};
const [start, drop] = KINDS[kind];
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

let connected = 0;
for (let made = 0; made < Number(count); made++) {
  const socket = connect({ port: Number(port), host: "127.0.0.1" });
  let answer = "";
  let sinceMs = 0;
  let dripping;
  socket.on("connect", () => {
    sinceMs = performance.now();
    socket.write(start);
    if (drop !== "") dripping = setInterval(() => socket.write(drop), 500);
    connected += 1;
    if (connected === Number(count)) tell({ event: "connected" });
  });
  socket.on("data", (data) => {
    answer += data.toString("latin1").slice(0, 12);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    clearInterval(dripping);
    tell({ event: "cut", afterMs: performance.now() - sinceMs, status: answer.slice(9, 12) });
  });
}
process.stdin.on("end", () => process.exit()).resume();
