import { DRAFT_SOURCES, type DraftSource } from './drafter.ts';

/** Drafts that were checked. */
export interface DraftCount {
  offered: number;
  /** That agreed with the causal predictions. */
  held: number;
}

/** Of one text, by source. */
export class DraftCounts {
  readonly #counts = new Map<DraftSource, DraftCount>();

  /** @param sources of the drafts that one forward checked, in order; the first `held` of them agreed */
  add(sources: readonly DraftSource[], held: number): void {
    for (const [i, source] of sources.entries()) {
      const { offered, held: before } = this.of(source);
      this.#counts.set(source, { offered: offered + 1, held: before + (i < held ? 1 : 0) });
    }
  }

  of(source: DraftSource): Readonly<DraftCount> {
    return this.#counts.get(source) ?? { offered: 0, held: 0 };
  }

  /** Sources that had a draft checked. */
  get all(): Partial<Record<DraftSource, Readonly<DraftCount>>> {
    const named = DRAFT_SOURCES.filter((source) => this.#counts.has(source));
    return Object.fromEntries(named.map((source) => [source, this.of(source)]));
  }
}
