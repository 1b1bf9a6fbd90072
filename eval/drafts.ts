/**
 * Block decoding against block length 1 of the same weights, greedy, on the bench's prompts: how many tokens a forward
 * decides at each threshold, and how much of the text is the same.
 */

import { round } from '../bench/median.ts';
import { PROMPTS } from '../bench/prompts.ts';
import type { Engine } from '../src/engine/engine.ts';
import { type Completion, completeGreedily, openEngine } from '../test/support/engines/engine.ts';
import { sharedPrefix } from './score.ts';

const MAX_TOKENS = 48;
const THRESHOLDS = [0.5, 0.7, 0.9];
const BLOCKS = [4, 8, 16];

/** One of the suite's requests. */
function complete(engine: Engine, prompt: string, blockLength: number, threshold: number): Promise<Completion> {
  return completeGreedily(engine, prompt, { maxTokens: MAX_TOKENS, blockLength, threshold });
}

export async function run(): Promise<object> {
  const engine = await openEngine(process.env.MODEL ?? 'seedling-135m');
  const baseline = [];
  for (const prompt of PROMPTS) baseline.push(await complete(engine, prompt, 1, 1));
  const rows = [];
  for (const block of BLOCKS) {
    for (const threshold of THRESHOLDS) {
      let [tokens, nfe, same] = [0, 0, 0];
      for (const [i, prompt] of PROMPTS.entries()) {
        const got = await complete(engine, prompt, block, threshold);
        tokens += got.tokens;
        nfe += got.cost.nfe;
        same += sharedPrefix(baseline[i]?.text ?? '', got.text) / PROMPTS.length;
      }
      const row = { block, threshold, tokens_per_forward: round(tokens / nfe), same_prefix: round(same) };
      console.log(row);
      rows.push(row);
    }
  }
  console.log(`\nblock 1:\n${PROMPTS[0]}${baseline[0]?.text}`);
  const [first = ''] = PROMPTS;
  console.log(`\nblock 8, threshold 0.9:\n${first}${(await complete(engine, first, 8, 0.9)).text}`);
  return { suite: 'drafts', rows };
}
