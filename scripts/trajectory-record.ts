/** What `npm run trajectories` writes of one generation: enough to rebuild the canvas after every forward. */
import type { StepEvent } from '../src/sampler/events.ts';

export interface TrajectoryRecord {
  /** Ids of the beginning. */
  readonly prompt: readonly number[];
  /** Ids of the continuation. */
  readonly ids: readonly number[];
  /** Per forward, the offsets that it decided or changed, ascending. */
  readonly steps: readonly (readonly number[])[];
  /** Per forward, the ids that it wrote there. */
  readonly step_ids: readonly (readonly number[])[];
  /** Per forward, the offsets that it made masks again. */
  readonly remasked: readonly (readonly number[])[];
  /** Sum of log-probabilities of the ids when they were decided, nats. */
  readonly log_likelihood: number;
}

type Step = Pick<StepEvent, 'positions' | 'ids' | 'probs' | 'remasked'>;

/** Collects the steps of one generation. */
export class TrajectoryRecorder {
  readonly #decided = new Map<number, { readonly id: number; readonly log: number }>();
  readonly #steps: number[][] = [];
  readonly #stepIds: number[][] = [];
  readonly #remasked: number[][] = [];

  /** @param step as the engine reports it: what was written first, then what was masked again */
  add({ positions, ids, probs, remasked }: Step): void {
    this.#steps.push([...positions]);
    this.#stepIds.push([...ids]);
    this.#remasked.push([...remasked]);
    for (const [i, offset] of positions.entries()) {
      this.#decided.set(offset, { id: ids[i]!, log: Math.log(probs[i]!) });
    }
    for (const offset of remasked) this.#decided.delete(offset);
  }

  /**
   * Offsets without a gap from 0: drafts behind the first open one belong to no text.
   * @param prompt what the generation went on from
   */
  record(prompt: readonly number[]): TrajectoryRecord {
    const ids: number[] = [];
    let likelihood = 0;
    for (let next = this.#decided.get(0); next; next = this.#decided.get(ids.length)) {
      ids.push(next.id);
      likelihood += next.log;
    }
    return {
      prompt,
      ids,
      steps: this.#steps,
      step_ids: this.#stepIds,
      remasked: this.#remasked,
      log_likelihood: Math.round(likelihood * 1000) / 1000,
    };
  }
}
