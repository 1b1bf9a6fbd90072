/** One line every few seconds: how far a suite is, and how long it will still take. */
const EVERY_MS = 5000;

export class Progress {
  readonly #label: string;
  readonly #total: number;
  readonly #start = performance.now();
  #shown = Number.NEGATIVE_INFINITY;
  #done = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  get seconds(): number {
    return Number(((performance.now() - this.#start) / 1000).toFixed(1));
  }

  /** One more is done. */
  step(note = ''): void {
    this.#done += 1;
    const now = performance.now();
    if (this.#done < this.#total && now - this.#shown < EVERY_MS) return;
    this.#shown = now;
    const left = Math.round((this.seconds / this.#done) * (this.#total - this.#done));
    console.log(`${this.#label} ${this.#done}/${this.#total}  ${Math.round(this.seconds)} s, ${left} s left  ${note}`);
  }
}
