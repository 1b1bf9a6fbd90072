/**
 * What mask drafts are worth: verified greedy decoding at block lengths 2 to 4 beside block length 1 of the same weights, on the
 * same prompts by turns. The texts must be equal. The prompts are the first of the evaluation set `complete`, or the bench's
 * own where SEEDLING_EVAL names no folder.
 */
import { COMPLETE, readProblems } from '../../eval/sets.ts';
import { readEvalSettings } from '../../eval/settings.ts';
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { openEngine } from '../../test/support/engines/engine.ts';
import { completeTimed, type OwnCompletion } from '../complete-timed.ts';
import { median, percentile, round } from '../median.ts';
import { promptsUpTo } from '../prompts.ts';
import { modelName, setting, size } from '../settings.ts';
import { tokensPerSecond } from '../timed-completion.ts';

const BLOCKS = [1, 2, 3, 4] as const;
const MAX_TOKENS = 96;
const PROMPTS = 20;
/** The speed of a shorter completion is not counted. */
const LEAST_TOKENS = 16;

export async function run(): Promise<object> {
  const model = modelName();
  const tokens = size('BENCH_TOKENS', MAX_TOKENS);
  const { name, prompts } = await plainPrompts(size('BENCH_PROMPTS', PROMPTS));
  const engine = await openEngine(model);
  console.log(`${model}, ${kernelFlavour()} kernels, ${prompts.length} prompts (${name}) x ${tokens} tokens`);
  const complete = (prompt: string, block: number) =>
    completeTimed(engine, prompt, tokens, block === 1 ? { block_length: 1 } : { block_length: block, verify: true });
  // The WASM engine compiles the kernels again once they are hot.
  for (const block of BLOCKS) await complete(prompts[0]!, block);

  const runs = new Map<number, OwnCompletion[]>(BLOCKS.map((block) => [block, []]));
  const speedUps = new Map<number, number[]>(BLOCKS.map((block) => [block, []]));
  let unequal = 0;
  for (const prompt of prompts) {
    const one = await complete(prompt, 1);
    for (const block of BLOCKS) {
      const own = block === 1 ? one : await complete(prompt, block);
      runs.get(block)!.push(own);
      if (own.timed.text !== one.timed.text) unequal++;
      if (own.timed.tokens >= LEAST_TOKENS) {
        speedUps.get(block)!.push(tokensPerSecond(own.timed) / tokensPerSecond(one.timed));
      }
    }
  }
  const rows = BLOCKS.map((block) => {
    const all = runs.get(block)!;
    const sum = (of: (run: OwnCompletion) => number) => all.reduce((total, run) => total + of(run), 0);
    const decided = sum((run) => run.timed.tokens);
    const ratios = speedUps.get(block)!;
    return {
      block_length: block,
      tokens_per_forward: round(decided / sum((run) => run.cost.nfe), 3),
      positions_per_token: round(sum((run) => run.cost.positionForwards) / decided),
      speed_of_one: ratios.length > 0 ? round(median(ratios)) : null,
      speed_of_one_tenth: ratios.length > 0 ? round(percentile(ratios, 0.1)) : null,
    };
  });
  for (const row of rows) console.log(row);
  console.log(`${unequal} texts differ from block length 1`);
  return { model, prompts: prompts.length, set: name, tokens, unequal, rows };
}

/** The prompts, and where they are from. */
async function plainPrompts(count: number): Promise<{ name: string; prompts: readonly string[] }> {
  if (!setting('SEEDLING_EVAL')) {
    console.log('SEEDLING_EVAL names no folder of evaluation sets: own prompts');
    return { name: 'own', prompts: promptsUpTo(count) };
  }
  const problems = await readProblems(COMPLETE, { ...readEvalSettings(process.env), limit: count });
  return { name: COMPLETE.file, prompts: problems.map(({ prompt }) => prompt.trimEnd()) };
}
