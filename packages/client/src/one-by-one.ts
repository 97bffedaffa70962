/**
 * Events as an async iterator. The listener's promise resolves when the next value is asked for: the source waits. What
 * has come before `end` is still handed out.
 */

interface Step<Value> {
  readonly value: Value;
  readonly done: () => void;
}

export async function* oneByOne<Value>(
  listen: (listener: (value: Value) => Promise<void>, end: () => void) => () => void,
): AsyncGenerator<Value, void> {
  const waiting: Step<Value>[] = [];
  let wake = () => {};
  let ended = false;
  const stop = listen(
    (value) =>
      new Promise((done) => {
        waiting.push({ value, done });
        wake();
      }),
    () => {
      ended = true;
      wake();
    },
  );
  let step: Step<Value> | undefined;
  try {
    for (;;) {
      step = waiting.shift();
      if (step === undefined) {
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      yield step.value;
      step.done();
    }
  } finally {
    stop();
    // Whoever waits for a consumer that has left waits no longer.
    for (const { done } of step === undefined ? waiting : [step, ...waiting]) done();
  }
}
