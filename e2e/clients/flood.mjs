// So many handshakes a second, each on a connection of its own; those that are let in stay. Tells a line each second:
// how many were answered with which status, with which Retry-After, and how many not at all. To the end of its input.
import { connect } from "node:net";
import { HANDSHAKE } from "./handshake.mjs";

const [port, perSecond] = process.argv.slice(2).map(Number);

const told = { sent: 0, statuses: {}, retryAfter: {}, unanswered: 0 };
const count = (counts, key) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

function knock() {
  told.sent += 1;
  const socket = connect({ port, host: "127.0.0.1" });
  let isAnswered = false;
  socket.on("connect", () => socket.write(`${HANDSHAKE}\r\n`));
  socket.on("data", (data) => {
    if (isAnswered) return;
    isAnswered = true;
    const head = data.toString("latin1");
    const status = head.slice(9, 12);
    count(told.statuses, status);
    if (status === "101") return;
    count(told.retryAfter, /^retry-after: *(\S*)/im.exec(head)?.[1] ?? "none");
    // By a reset: a socket that is closed politely keeps its port for a minute, and there are 28,000.
    socket.resetAndDestroy();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    if (!isAnswered) told.unanswered += 1;
  });
}

const startMs = performance.now();
setInterval(() => {
  const due = ((performance.now() - startMs) / 1000) * perSecond;
  while (told.sent < due) knock();
}, 5);
setInterval(() => process.stdout.write(`${JSON.stringify(told)}\n`), 1000);
process.stdin.on("end", () => process.exit()).resume();
