/** The keys of a terminal, one by one. */
import type { ReadStream } from "node:tty";
import type { Keyboard } from "./command.ts";

export function terminalKeyboard(stdin: ReadStream): Keyboard {
  return {
    listen(press) {
      const read = (bytes: Buffer) => {
        for (const key of bytes.toString("utf8")) press(key);
      };
      stdin.setRawMode(true);
      stdin.on("data", read);
      stdin.resume();
      return () => {
        stdin.off("data", read);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
  };
}
