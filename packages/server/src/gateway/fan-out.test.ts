import { expect, test } from "bun:test";
import type { Server } from "bun";
import { type Listener, nativeFanOut } from "./fan-out.ts";
import type { SocketData } from "./websocket.ts";

test("all streams of a topic are handed the same bytes", () => {
  const fanOut = nativeFanOut();
  const heard: Uint8Array[] = [];
  for (let n = 0; n < 3; n++) fanOut.join("sse:a", { hear: (bytes) => heard.push(bytes) });
  fanOut.publish("sse:a", "é");
  expect(heard).toHaveLength(3);
  expect(new Set(heard).size).toBe(1);
  expect([...(heard[0] ?? [])]).toEqual([0xc3, 0xa9]);
});

test("one that leaves while it is told takes nobody with it", () => {
  const fanOut = nativeFanOut();
  const heard: string[] = [];
  const listener = (name: string): Listener => ({
    hear() {
      heard.push(name);
      if (name === "one") fanOut.leave("sse:a", one);
    },
  });
  const [one, other] = [listener("one"), listener("other")];
  fanOut.join("sse:a", one);
  fanOut.join("sse:a", other);
  fanOut.publish("sse:a", "x");
  fanOut.publish("sse:a", "x");
  expect(heard).toEqual(["one", "other", "other"]);
  fanOut.leave("sse:a", other);
  fanOut.leave("sse:a", other);
  fanOut.publish("sse:a", "x");
  expect(heard).toHaveLength(3);
});

test("other topics are the sockets': they go to Bun, once there is a server", () => {
  const fanOut = nativeFanOut();
  fanOut.publish("text:a", "before");
  const published: string[] = [];
  const publish = (topic: string, frame: string) => published.push(`${topic} ${frame}`);
  fanOut.attach({ publish } as unknown as Server<SocketData>);
  fanOut.publish("text:a", "x");
  fanOut.publish("sse:a", "x");
  expect(published).toEqual(["text:a x"]);
});
