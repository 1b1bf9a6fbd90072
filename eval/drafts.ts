/**
 * Greedy block decoding compared with block length 1 of the same weights, on the bench's prompts: tokens a forward at each
 * threshold, and the share of the text that agrees.
 */
import { round } from '../bench/median.ts';
import { promptsUpTo } from '../bench/prompts.ts';
import { completeGreedily, openEngine } from '../test/support/engines/engine.ts';
import { sharedPrefix } from './score.ts';
import { readEvalSettings } from './settings.ts';

const MAX_TOKENS = 48;
const THRESHOLDS = [0.5, 0.7, 0.9];
const BLOCKS = [4, 8, 16];

export async function run(): Promise<object> {
  const { model, limit, tokens: maxTokens = MAX_TOKENS } = readEvalSettings(process.env);
  const engine = await openEngine(model);
  const prompts = promptsUpTo(limit ?? Number.POSITIVE_INFINITY);
  const complete = (prompt: string, blockLength: number, threshold: number) =>
    completeGreedily(engine, prompt, { maxTokens, blockLength, threshold });
  const baseline: string[] = [];
  for (const prompt of prompts) baseline.push((await complete(prompt, 1, 1)).text);
  const rows = [];
  for (const block of BLOCKS) {
    for (const threshold of THRESHOLDS) {
      let [tokens, nfe, same] = [0, 0, 0];
      for (const [i, prompt] of prompts.entries()) {
        const got = await complete(prompt, block, threshold);
        tokens += got.tokens;
        nfe += got.cost.nfe;
        same += sharedPrefix(baseline[i]!, got.text) / prompts.length;
      }
      const row = { block, threshold, tokens_per_forward: round(tokens / nfe), same_prefix: round(same) };
      console.log(row);
      rows.push(row);
    }
  }
  const first = prompts[0]!;
  console.log(`\nblock 1:\n${first}${baseline[0]}`);
  console.log(`\nblock 8, threshold 0.9:\n${first}${(await complete(first, 8, 0.9)).text}`);
  return { model, prompts: prompts.length, rows };
}
