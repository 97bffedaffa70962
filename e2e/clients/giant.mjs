// So many connections that each send 100 MB, whatever they are answered: as a body with its length, a body in chunks, or
// headers. Tells a line for each when all is sent, or it is cut off: the answer's status and code, and what was sent.
import { connect } from "node:net";

const [port, count, kind, key] = process.argv.slice(2);
const GIANT_BYTES = 100 * 1024 * 1024;
const PIECE = "x".repeat(64 * 1024);

const REQUEST = `POST /v1/channels/push/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n`;
const KINDS = {
  length: [`${REQUEST}Content-Length: ${GIANT_BYTES}\r\n\r\n`, PIECE, ""],
  chunks: [`${REQUEST}Transfer-Encoding: chunked\r\n\r\n`, `10000\r\n${PIECE}\r\n`, "0\r\n\r\n"],
  // One that has both goes by its chunks.
  both: [
    `${REQUEST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `10000\r\n${PIECE}\r\n`,
    "0\r\n\r\n",
  ],
  headers: [REQUEST, `X-Giant: ${PIECE}\r\n`, "\r\n"],
};
const [start, piece, end] = KINDS[kind];

for (let made = 0; made < Number(count); made++) {
  const socket = connect({ port: Number(port), host: "127.0.0.1" });
  let sent = 0;
  let answer = "";
  let isOver = false;
  const over = () => {
    if (isOver) return;
    isOver = true;
    const code = /"code":"(\w+)"/.exec(answer)?.[1] ?? "";
    process.stdout.write(`${JSON.stringify({ status: answer.slice(9, 12), code, sent })}\n`);
    socket.destroy();
  };
  const isAnswered = () => answer.includes("\r\n\r\n");
  const pump = () => {
    while (sent < GIANT_BYTES && !isOver) {
      sent += PIECE.length;
      if (!socket.write(piece)) return;
    }
    socket.off("drain", pump);
    socket.write(end);
    if (isAnswered()) over();
  };
  socket.on("drain", pump);
  socket.on("connect", () => {
    socket.write(start);
    pump();
  });
  socket.on("data", (data) => {
    answer += data.toString("latin1");
    if (sent >= GIANT_BYTES && isAnswered()) over();
  });
  socket.on("error", () => {});
  socket.on("close", over);
}
process.stdin.on("end", () => process.exit()).resume();
