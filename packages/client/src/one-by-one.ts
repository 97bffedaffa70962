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
  // The source waits, so there is never more than one.
  let step: Step<Value> | undefined;
  let wake = () => {};
  let ended = false;
  const stop = listen(
    (value) =>
      new Promise((done) => {
        step = { value, done };
        wake();
      }),
    () => {
      ended = true;
      wake();
    },
  );
  const next = () => step;
  try {
    for (;;) {
      const present = next();
      if (present !== undefined) {
        yield present.value;
        step = undefined;
        present.done();
      } else if (ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stop();
    // It waits no longer for a consumer that has left.
    next()?.done();
  }
}
