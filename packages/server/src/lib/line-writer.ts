/** Lines to a stream that may be slow: bounded, and honest about what it had to drop. */

/** What is needed of a stream such as `process.stdout`. */
export interface LineSink {
  write(text: string): boolean;
  once(event: "drain", listener: () => void): unknown;
}

/**
 * Writes lines to `sink`. While the sink is behind, at most `maxWaiting` lines are kept; further ones are
 * dropped and counted, and the count is written as a line of its own when the sink has caught up, so that a
 * stuck terminal or log collector can neither stop the server nor fill its memory.
 */
export function lineWriter(sink: LineSink, maxWaiting = 10_000): (line: string) => void {
  let behind = false;
  let waiting: string[] = [];
  let dropped = 0;

  const write = (text: string) => {
    if (sink.write(text)) return;
    behind = true;
    sink.once("drain", catchUp);
  };
  const catchUp = () => {
    behind = false;
    const lines = waiting;
    if (dropped > 0) lines.push(`(${dropped} log lines dropped: the output was not read)`);
    waiting = [];
    dropped = 0;
    if (lines.length > 0) write(`${lines.join("\n")}\n`);
  };

  return (line) => {
    if (!behind) write(`${line}\n`);
    else if (waiting.length < maxWaiting) waiting.push(line);
    else dropped += 1;
  };
}
