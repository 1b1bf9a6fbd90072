/** Verified blocks on the kernels: the text is that of block length 1, greedy and sampled. */
import { describe, expect, it } from 'vitest';
import { PROMPTS } from '../../../bench/prompts.ts';
import type { DiffusionModel } from '../../../src/model/model.ts';
import { sampleBlocks } from '../../../src/sampler/block-sampler.ts';
import { createDraw } from '../../../src/sampler/draw.ts';
import { Forwards } from '../../../src/sampler/forwards.ts';
import { createPolicy } from '../../../src/sampler/policies/index.ts';
import { uniform } from '../../../src/sampler/random.ts';
import { sliding } from '../../../src/sampler/width.ts';
import { completeGreedily, openEngine } from '../../support/engines/engine.ts';
import { loneLane } from '../../support/engines/lone-lane.ts';
import { convertFixture, wasmModel } from '../../support/engines/models.ts';

const quantized = await convertFixture('tiny-llama', 'int4');

async function generate(model: DiffusionModel, prompt: Int32Array, blockLength: number, seed: number | null) {
  const cache = model.createCache(prompt.length + 24);
  const draw = createDraw({
    temperature: seed === null ? 0 : 1,
    topP: 0.9,
    topK: 0,
    seed: seed ?? 0,
    logitRules: null,
  });
  const forwards = new Forwards(loneLane(model, cache), draw, new AbortController().signal);
  const first = await forwards.prefill(prompt);
  const policy = createPolicy({ policy: 'confidence', threshold: 0 }, 0);
  const settings = {
    maxTokens: 24,
    width: sliding(blockLength),
    policy,
    verify: true,
    remasking: null,
    approximateCache: null,
  };
  const ids: number[] = [];
  for await (const event of sampleBlocks(forwards, model.config, settings, first)) {
    if (event.type === 'settled') ids.push(...event.ids);
  }
  cache.free();
  return ids;
}

describe('greedy and sampled text with verify', () => {
  it.each(['relaxed-simd', 'simd'] as const)('equals block length 1 on 100 prompts, %s', async (flavour) => {
    const model = await wasmModel(quantized, flavour, 512);
    for (let i = 0; i < 100; i++) {
      const length = 1 + Math.floor(uniform(i, 0) * 40);
      const prompt = Int32Array.from({ length }, (_, at) => Math.floor(uniform(i, at, 1) * 256));
      const seed = i % 2 === 0 ? null : i;
      const single = await generate(model, prompt, 1, seed);
      expect(await generate(model, prompt, [2, 4, 8, 16][i % 4]!, seed), `prompt ${i}`).toEqual(single);
    }
    expect(model.freeTokens).toBe(model.maxTokens);
  });

  it('equals block length 1 on the default model', async () => {
    const engine = await openEngine('seedling-135m');
    const nfe = { single: 0, verified: 0 };
    for (const prompt of PROMPTS) {
      const settings = { maxTokens: 24, threshold: 0.3 };
      const single = await completeGreedily(engine, prompt, { ...settings, blockLength: 1 });
      const verified = await completeGreedily(engine, prompt, { ...settings, blockLength: 8, verify: true });
      expect(verified.text).toBe(single.text);
      // A text that ends at once gives drafts nothing to save.
      expect(verified.cost.nfe).toBeLessThanOrEqual(single.cost.nfe);
      nfe.single += single.cost.nfe;
      nfe.verified += verified.cost.nfe;
    }
    expect(nfe.verified).toBeLessThan(nfe.single);
  });
});
