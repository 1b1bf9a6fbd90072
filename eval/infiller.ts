/** The engine for infill. It takes models from before the infill stage too, to compare with. */
import type { Engine } from '../src/engine/engine.ts';
import { openEngine } from '../test/support/engines/engine.ts';

/** The recipe's sentinel ids, for a model whose config.json names none. */
const SENTINELS = { prefix: 8, suffix: 9, middle: 10, end: 11, order: 'prefix_first' } as const;

export function openInfillEngine(model: string): Promise<Engine> {
  return openEngine(model, 'models', { infill: SENTINELS });
}
