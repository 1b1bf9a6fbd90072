import { round } from '../../bench/median.ts';
import { DEFAULT_EDITING, type EditResult } from '../../src/engine/editing/edit-request.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { RequestError } from '../../src/engine/request.ts';
import { Mean } from '../score.ts';
import type { RepairProblem } from '../sets.ts';
import type { Repairer } from './repairer.ts';

/** The whole result of an edit; null when the code does not fit the context. */
export async function editCode(
  engine: Engine,
  code: string,
  region: { readonly start: number; readonly end: number } | null = null,
): Promise<EditResult | null> {
  try {
    const admitted = await engine.admitEdit({ code, instruction: null, region, settings: DEFAULT_EDITING });
    for await (const event of admitted.run()) if (event.type === 'done') return event.result;
  } catch (error) {
    if (error instanceof RequestError && error.code === 'context_length_exceeded') return null;
    throw error;
  }
  throw new Error('the edit ended without its result');
}

/** Edits the body in place, token to token: what the model does not find improbable stays as it is. */
export class EditInPlace implements Repairer {
  readonly name = 'edit';
  readonly #engine: Engine;
  readonly #edits = new Mean();
  readonly #nfe = new Mean();
  readonly #positions = new Mean();
  readonly #ms = new Mean();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async repair({ declaration, buggy_solution }: RepairProblem): Promise<string | null> {
    const code = declaration + buggy_solution;
    const result = await editCode(this.#engine, code, { start: declaration.length, end: code.length });
    if (result === null) return null;
    this.#edits.add(result.edits.length);
    this.#nfe.add(result.cost.nfe);
    this.#positions.add(result.cost.positionForwards);
    this.#ms.add(result.cost.ms);
    return result.text.slice(declaration.length);
  }

  get cost(): Record<string, unknown> {
    return {
      edits_per_problem: this.#edits.rounded,
      nfe_per_problem: this.#nfe.rounded,
      position_forwards_per_problem: this.#positions.rounded,
      ms_per_problem: round(this.#ms.value, 0),
      settings: DEFAULT_EDITING,
    };
  }
}
