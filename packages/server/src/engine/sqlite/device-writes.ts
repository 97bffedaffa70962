/**
 * Writes where devices stand, many at once in slices, so that no publish waits for all of them: of a million devices 15,000
 * take 100 ms in one commit, and no longer in slices, of which a publish waits for one. What is written of devices is
 * written in its order all the same.
 */
import type { DevicePosition, RecordChange } from "../engine.ts";
import type { GroupCommit } from "./group-commit.ts";

/** 5 to 10 ms of the writer's time: of a million devices each has a page to itself. */
const SLICE = 1_000;

export class DeviceWrites {
  readonly #commits: GroupCommit;
  /** Ends with the last call that is written in slices. Never rejects. */
  #slicing: Promise<void> | undefined;

  constructor(commits: GroupCommit) {
    this.#commits = commits;
  }

  /** With changes all of it is one commit. */
  save(positions: readonly DevicePosition[], changes: readonly RecordChange[]): Promise<void> {
    if (changes.length > 0 || positions.length <= SLICE) {
      return this.#inTurn(() => this.#commits.next().savePositions(positions, changes));
    }
    const saved = this.#inTurn(() => this.#saveSlices(positions));
    const done = () => {
      if (this.#slicing === slicing) this.#slicing = undefined;
    };
    const slicing = saved.then(done, done);
    this.#slicing = slicing;
    return saved;
  }

  remove(device: string, channels: readonly string[], changes: readonly RecordChange[]): Promise<void> {
    return this.#inTurn(() => this.#commits.next().removeDevice(device, channels, changes));
  }

  /** Resolves when the calls so far have been handed over. */
  async idle(): Promise<void> {
    await this.#slicing;
  }

  /** At once if nothing is under way: what else is asked in this tick keeps its place. */
  async #inTurn(act: () => Promise<void>): Promise<void> {
    if (this.#slicing !== undefined) await this.#slicing;
    return act();
  }

  async #saveSlices(positions: readonly DevicePosition[]): Promise<void> {
    // In the table's order a slice has its pages to itself: in any other one of 200,000 devices are written nine times over.
    const sorted = positions.toSorted(byDevice);
    for (let at = 0; at < sorted.length; at += SLICE) {
      await this.#commits.next().savePositions(sorted.slice(at, at + SLICE), []);
    }
  }
}

function byDevice({ device: one }: DevicePosition, { device: other }: DevicePosition): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
