import { round } from '../../bench/median.ts';
import { DEFAULT_EDITING, type EditDoneEvent } from '../../src/engine/editing/edit-request.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { RequestError } from '../../src/engine/request.ts';
import { Mean } from '../score.ts';
import type { RepairProblem } from '../sets.ts';
import type { Repairer } from './repairer.ts';

/** The end of an edit, with its result; null when the code does not fit the context. */
export async function editCode(
  engine: Engine,
  code: string,
  region: { readonly start: number; readonly end: number } | null = null,
): Promise<EditDoneEvent | null> {
  try {
    const request = {
      kind: 'edit',
      code,
      instruction: null,
      filename: null,
      region,
      settings: DEFAULT_EDITING,
    } as const;
    for await (const event of engine.generate(request)) if ('result' in event) return event;
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
    const done = await editCode(this.#engine, code, { start: declaration.length, end: code.length });
    if (done === null) return null;
    const { result, cost } = done;
    this.#edits.add(result.edits.length);
    this.#nfe.add(cost.nfe);
    this.#positions.add(cost.positionForwards);
    this.#ms.add(cost.decodeMs);
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
