/** What the doctor found. */

/** `failed`: it does not work. `warning`: it works, and somebody should look at it. */
export type State = "good" | "warning" | "failed";

export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  readonly state: State;
  readonly says: string;
  /** What to do about it. */
  readonly advice?: string;
}

const MARKS: Readonly<Record<State, string>> = { good: "✓", warning: "!", failed: "✗" };

/** One line for people. */
export function describe({ check, state, says, advice }: Finding): string {
  return `${MARKS[state]} ${check}: ${says}${advice === undefined ? "" : `. What to do: ${advice}`}`;
}

export const good = (check: string, says: string): Finding => ({ check, state: "good", says });
export const warning = (check: string, says: string, advice: string): Finding => ({
  check,
  state: "warning",
  says,
  advice,
});
export const failed = (check: string, says: string, advice: string): Finding => ({
  check,
  state: "failed",
  says,
  advice,
});
