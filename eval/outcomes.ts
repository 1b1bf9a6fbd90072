/** How many problems had which outcome. */
import type { Outcome } from './sandbox/sandbox.ts';

/** `too_long`: prompt and answer do not fit the context, so nothing was generated. */
export type Result = Outcome | 'too_long';

export class Outcomes {
  readonly #counts: Record<Result, number> = { passed: 0, failed: 0, invalid: 0, timeout: 0, too_long: 0 };
  /** Ids of the problems that passed. */
  readonly #passed: string[] = [];

  add(id: string, result: Result): void {
    this.#counts[result] += 1;
    if (result === 'passed') this.#passed.push(id);
  }

  get passed(): number {
    return this.#counts.passed;
  }

  /** Fields of the report. There is one greedy answer a problem, so pass@1 is the share that passed. */
  summary(): Record<string, unknown> {
    const problems = Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
    const pass = problems === 0 ? null : Number((this.#counts.passed / problems).toFixed(4));
    return { problems, pass_at_1: pass, outcomes: this.#counts, passed: this.#passed };
  }
}
