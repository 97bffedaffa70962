/** Events as an async iterator. The listener's promise resolves when the next value is asked for: the source waits. */

interface Step<Value> {
  readonly value: Value;
  readonly done: () => void;
}

export async function* oneByOne<Value>(
  listen: (listener: (value: Value) => Promise<void>) => () => void,
): AsyncGenerator<Value, void> {
  const waiting: Step<Value>[] = [];
  let wake = () => {};
  const stop = listen(
    (value) =>
      new Promise((done) => {
        waiting.push({ value, done });
        wake();
      }),
  );
  let step: Step<Value> | undefined;
  try {
    for (;;) {
      step = waiting.shift();
      if (step === undefined) {
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
