// A timed push with Socket.IO, to everybody. `node socket-io.mjs PERIOD_MS TEXT`.
import { createServer } from "node:http";
import { Server } from "socket.io";

const [periodMs, text] = process.argv.slice(2);
const http = createServer();
// Its heartbeat, every 25 s as it comes, would fall into some rounds and not into others.
const io = new Server(http, { transports: ["websocket"], pingInterval: 600_000, serveClient: false });

http.listen(0, "127.0.0.1", () => console.log(`listening on 127.0.0.1:${http.address().port}`));
setInterval(() => io.emit("push", text), Number(periodMs));
