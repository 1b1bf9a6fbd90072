/**
 * The model on held-out packages: the accuracies that the recipe's `evaluate.py` defines, here on the quantized weights,
 * and the tokens that a forward decides at each threshold, compared with block length 1.
 */
import { round } from '../../bench/median.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { completeGreedily, openEngine } from '../../test/support/engines/engine.ts';
import { Progress } from '../progress.ts';
import { editSimilarity, Mean, sharedPrefix } from '../score.ts';
import { AUTOREGRESSIVE, type EvalDecoding, readEvalSettings } from '../settings.ts';
import { BLOCK, BlockAccuracy } from './block-accuracy.ts';
import { heldoutSequences, readHeldoutPackages } from './heldout-tokens.ts';

const LENGTH = 256;
const SEQUENCES = 64;
const THRESHOLDS = [0.7, 0.8, 0.9, 0.95];
/** Verified greedy decoding, at the server's threshold for it. */
const VERIFIED_BLOCKS = [4, 8];
const PROMPTS = 16;
const PROMPT_TOKENS = 128;
const NEW_TOKENS = 64;

export async function run(): Promise<object> {
  const settings = readEvalSettings(process.env);
  const packages = await readHeldoutPackages(settings);
  const engine = await openEngine(settings.model);

  const sequences = heldoutSequences(packages, Math.min(SEQUENCES, settings.limit ?? SEQUENCES), LENGTH);
  const accuracy = new BlockAccuracy(engine.model);
  const progress = new Progress('sequences', sequences.length);
  for (const ids of sequences) {
    await accuracy.add(ids);
    progress.step(`causal ${accuracy.causal.rounded}, half masked ${accuracy.half.rounded}`);
  }
  const prompts = heldoutSequences(packages, Math.min(PROMPTS, settings.limit ?? PROMPTS), PROMPT_TOKENS);
  const newTokens = settings.tokens ?? NEW_TOKENS;
  const rows = await drafts(engine, prompts, newTokens);
  return {
    model: settings.model,
    sequences: sequences.length,
    block_length: BLOCK,
    ...accuracy.summary(),
    drafts: { prompts: prompts.length, new_tokens: newTokens, rows },
  };
}

/** For each way of decoding: tokens a forward, and the share of the text that agrees with block length 1. */
async function drafts(engine: Engine, prompts: readonly Int32Array[], maxTokens: number): Promise<object[]> {
  const { blockLength } = engine.model.config;
  const ways: EvalDecoding[] = [
    ...THRESHOLDS.map((threshold) => ({ blockLength, threshold, verify: false })),
    ...VERIFIED_BLOCKS.map((width) => ({ blockLength: width, threshold: null, verify: true })),
  ];
  const progress = new Progress('drafts', prompts.length * (1 + ways.length));
  const baseline: string[] = [];
  for (const prompt of prompts) {
    baseline.push((await completeGreedily(engine, prompt, { maxTokens, ...AUTOREGRESSIVE })).text);
    progress.step('block 1');
  }
  const rows = [];
  for (const way of ways) {
    let [tokens, nfe, positions] = [0, 0, 0];
    const [equal, prefix, similarity] = [new Mean(), new Mean(), new Mean()];
    for (const [i, prompt] of prompts.entries()) {
      const got = await completeGreedily(engine, prompt, { maxTokens, ...way });
      const wanted = baseline[i]!;
      tokens += got.tokens;
      nfe += got.cost.nfe;
      positions += got.cost.positionForwards;
      equal.add(got.text === wanted);
      prefix.add(sharedPrefix(wanted, got.text));
      similarity.add(editSimilarity(wanted, got.text));
      progress.step(`block ${way.blockLength}, ${way.verify ? 'verified' : `threshold ${way.threshold}`}`);
    }
    rows.push({
      block_length: way.blockLength,
      threshold: way.threshold,
      verify: way.verify,
      tokens_per_forward: round(tokens / nfe, 3),
      position_forwards_per_token: round(positions / tokens, 2),
      nfe,
      equal_text: equal.rounded,
      same_prefix: prefix.rounded,
      edit_similarity: similarity.rounded,
    });
  }
  return rows;
}
