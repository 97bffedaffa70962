// A timed push with `ws`, as its own documentation broadcasts. `node ws.mjs PERIOD_MS TEXT plain|once`.
import { WebSocketServer } from "ws";

const [periodMs, text, variant] = process.argv.slice(2);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });

server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
setInterval(variant === "once" ? pushFrame : push, Number(periodMs));

function push() {
  for (const client of server.clients) client.send(text);
}

/** What a server on `ws` can gain by building the frame itself and going round the library. */
function pushFrame() {
  const frame = textFrame(Buffer.from(text));
  for (const client of server.clients) client._socket.write(frame);
}

function textFrame(payload) {
  const length = payload.length;
  const head = length < 126 ? [0x81, length] : [0x81, 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), payload]);
}
