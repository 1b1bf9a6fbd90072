/** Ways to repair a function, for the suite to compare. */
import type { Engine } from '../../src/engine/engine.ts';
import { FUNCTION_END, functionBody } from '../function-text.ts';
import type { RepairProblem } from '../sets.ts';
import type { EvalDecoding } from '../settings.ts';
import { Writer } from '../writer.ts';

export interface Repairer {
  readonly name: string;
  /**
   * @returns the function's body after its declaration, closing brace included, as `buggy_solution` is; null when the
   *   problem does not fit the context
   */
  repair(problem: RepairProblem): Promise<string | null>;
  /** Fields of the report. */
  readonly cost: Record<string, unknown>;
}

const MAX_TOKENS = 256;

/** The buggy function, then its declaration again for a body without the bug. */
export function regeneratePrompt({ declaration, buggy_solution, entry_point }: RepairProblem): string {
  // No line break at the end: the tokenizer joins it with the indentation, so the model writes both.
  const start = declaration.trim();
  return `// ${entry_point} has a bug:\n${start}\n${buggy_solution.trimEnd()}\n\n// Fix the bug in ${entry_point}:\n${start}`;
}

/** Writes the body again from a prompt that shows the bug. Any left-to-right model can do that. */
export class Regenerate implements Repairer {
  readonly name = 'regenerate';
  readonly #writer: Writer;

  /** @param maxTokens new tokens of a repair at most */
  constructor(engine: Engine, decoding: EvalDecoding, maxTokens = MAX_TOKENS) {
    this.#writer = new Writer(engine, maxTokens, decoding, [FUNCTION_END]);
  }

  async repair(problem: RepairProblem): Promise<string | null> {
    const completion = await this.#writer.write(regeneratePrompt(problem));
    return completion && functionBody(problem.declaration, completion);
  }

  get cost(): Record<string, unknown> {
    return this.#writer.cost;
  }
}
