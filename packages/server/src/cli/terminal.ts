/** The real terminal, and the real world behind it. */
import { createInterface } from "node:readline/promises";
import { systemClock } from "../lib/clock.ts";
import { printable } from "../lib/printable.ts";
import type { Io } from "./command.ts";
import { terminalKeyboard } from "./keyboard.ts";
import { nextStopSignal } from "./signals.ts";

export interface Terminal {
  readonly io: Io;
  /** Resolves when all that was written has been taken. */
  readonly flushed: () => Promise<void>;
}

export function openTerminal({ stdin, stdout, stderr, env }: NodeJS.Process): Terminal {
  // Whoever read the output may go (`carillon serve | head`). That is no error: a server stays, a listener ends.
  stderr.on("error", () => {});
  const outputClosed = new Promise<void>((resolve) => stdout.on("error", () => resolve()));
  let isDrawn = false;
  const draw = (text: string) => {
    // A line that wraps could not be wiped again. Some terminals do not know how wide they are.
    const room = (stderr.columns || 80) - 1;
    stderr.write(`\r\u001b[K${printable(text).slice(0, room)}`);
    isDrawn = text !== "";
  };
  const err = (line: string) => {
    if (isDrawn) draw("");
    stderr.write(`${line}\n`);
  };
  const ask = async (question: string) => {
    const lines = createInterface({ input: stdin, output: stderr });
    // Ctrl-C and Ctrl-D, which are no answer.
    const closed = new Promise<undefined>((resolve) => lines.once("close", () => resolve(undefined)));
    const answer = await Promise.race([lines.question(question), closed]);
    if (answer === undefined) stderr.write("\n");
    lines.close();
    return answer ?? "";
  };
  const write = (bytes: Uint8Array | string) =>
    new Promise<void>((resolve, reject) => {
      stdout.write(bytes, (error) => (error == null ? resolve() : reject(error)));
    });
  return {
    io: {
      env,
      clock: systemClock,
      fetch: (url, init) => fetch(url, init),
      openSocket: (url, options) => new WebSocket(url, options),
      out: (line) => stdout.write(`${line}\n`),
      err,
      write,
      outputClosed,
      outputIsTerminal: stdout.isTTY === true,
      input: () => Bun.stdin.stream(),
      stopSignal: nextStopSignal,
      ...(stdin.isTTY && { keyboard: terminalKeyboard(stdin) }),
      ...(stdin.isTTY && stderr.isTTY && { ask }),
      ...(stderr.isTTY && { draw }),
    },
    flushed: () => write("").catch(() => {}),
  };
}
