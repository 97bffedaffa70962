import { expect, test } from "bun:test";
import { lineWriter } from "./line-writer.ts";

function slowSink() {
  let accepts = true;
  let drain: () => void = () => {};
  const written: string[] = [];
  return {
    written,
    stall: () => {
      accepts = false;
    },
    resume: () => {
      accepts = true;
      drain();
    },
    write(text: string) {
      written.push(text);
      return accepts;
    },
    once(_: "drain", listener: () => void) {
      drain = listener;
    },
  };
}

test("lines go straight through to a sink that keeps up", () => {
  const sink = slowSink();
  const write = lineWriter(sink);
  write("a");
  write("b");
  expect(sink.written).toEqual(["a\n", "b\n"]);
});

test("a sink that is behind gets the waiting lines at once, in order, and the count of those dropped", () => {
  const sink = slowSink();
  const write = lineWriter(sink, 2);
  sink.stall();
  for (const line of ["a", "b", "c", "d", "e"]) write(line);
  expect(sink.written).toEqual(["a\n"]);
  sink.resume();
  expect(sink.written).toEqual(["a\n", "b\nc\n(2 log lines dropped: the output was not read)\n"]);
  write("f");
  expect(sink.written.at(-1)).toBe("f\n");
});
