/**
 * Decided ids that no undecided one precedes. No policy revises a decision, so they are final before their block is:
 * a client reads the first of them right after the prefill.
 */
export class Settled {
  readonly #eosTokenIds: readonly number[];
  readonly #waiting = new Map<number, number>(); // completion offset -> id
  #next = 0;
  #ended = false;

  constructor(eosTokenIds: readonly number[]) {
    this.#eosTokenIds = eosTokenIds;
  }

  /** Takes what a forward decided; returns the ids that became final, in order, up to an EOS. */
  push(positions: Int32Array, ids: Int32Array): Int32Array {
    positions.forEach((position, i) => {
      this.#waiting.set(position, ids[i]!);
    });
    const settled: number[] = [];
    for (let id = this.#waiting.get(this.#next); id !== undefined; id = this.#waiting.get(this.#next)) {
      this.#waiting.delete(this.#next);
      this.#next += 1;
      this.#ended ||= this.#eosTokenIds.includes(id);
      if (!this.#ended) settled.push(id);
    }
    return Int32Array.from(settled);
  }
}
