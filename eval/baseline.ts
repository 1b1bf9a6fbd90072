/** The untrained base model, converted with our converter. A trained model has to beat it in the same engine. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { round } from '../bench/median.ts';
import { InputError } from '../scripts/suites.ts';
import { convert } from '../src/convert/convert.ts';
import type { Engine } from '../src/engine/engine.ts';
import { openEngine } from '../test/support/engines/engine.ts';

/** In the recipe's cache, the exact export first. */
const SOURCES = ['export/smollm2-base', 'base/SmolLM2-135M-Instruct.Q4_1.gguf'];

export interface Baseline {
  readonly name: string;
  readonly engine: Engine;
  /** Seconds of the conversion, or null if the model was there already. */
  readonly conversionSeconds: number | null;
}

/**
 * Converts once into `models/` of the cache.
 * @throws InputError naming the command that makes the source, when there is none
 */
export async function openBaseline(dtype: 'int4' | 'int8', cache: string): Promise<Baseline> {
  const models = join(cache, 'models');
  const name = `smollm2-135m-${dtype}`;
  let conversionSeconds: number | null = null;
  if (!(await exists(join(models, name, 'manifest.json')))) {
    const start = performance.now();
    // A plain decoder's files do not say this. At block length 1 only the shift matters, and a decoder has it.
    const semantics = { logitShift: true, contextAttention: 'causal', blockLength: 8, maskTokenId: 16 } as const;
    await convert(await source(cache), { name, out: models, dtype, embedding: dtype, semantics });
    conversionSeconds = round((performance.now() - start) / 1000, 1);
    console.log(`${name}: converted in ${conversionSeconds} s`);
  }
  return { name, engine: await openEngine(name, models), conversionSeconds };
}

async function source(cache: string): Promise<string> {
  for (const candidate of SOURCES) if (await exists(join(cache, candidate))) return join(cache, candidate);
  throw new InputError(
    `No base model in ${cache}: cd models/recipe && python -m recipe export --adapter none --out ` +
      `${join(cache, 'export/smollm2-base')} makes it; EVAL_BASELINE=0 does without`,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
