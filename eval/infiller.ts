/** The engine for infill, whatever the model was trained for: those before the infill stage are there to compare with. */
import type { Engine } from '../src/engine/engine.ts';
import { openEngine } from '../test/support/engines/engine.ts';

export { decodeIds } from './decode-ids.ts';

/** The recipe's, for models whose config.json does not name theirs. */
const SENTINELS = { prefix: 8, suffix: 9, middle: 10, end: 11, order: 'prefix_first' } as const;

export function openInfillEngine(model: string): Promise<Engine> {
  return openEngine(model, 'models', { infill: SENTINELS });
}
