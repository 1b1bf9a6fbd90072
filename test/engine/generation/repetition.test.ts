/** `min_p` and the repetition penalty in verified text: that of a plain loop over one token at a time, whatever the block. */
import { describe, expect, test } from 'vitest';
import type { DiffusionModel } from '../../../src/model/model.ts';
import { headPredict } from '../../../src/reference/scalar.ts';
import type { ScalarModel } from '../../../src/reference/scalar-model.ts';
import { sampleBlocks } from '../../../src/sampler/block-sampler.ts';
import { createDraw, type DrawSettings } from '../../../src/sampler/draw.ts';
import { Forwards } from '../../../src/sampler/forwards.ts';
import { createPolicy } from '../../../src/sampler/policies/index.ts';
import { uniform } from '../../../src/sampler/random.ts';
import { sliding } from '../../../src/sampler/width.ts';
import { loneLane } from '../../support/engines/lone-lane.ts';
import { convertFixture, scalarModel, wasmModel } from '../../support/engines/models.ts';

const TOKENS = 20;
const source = await convertFixture('tiny-llama', 'int4');
const scalar = (await scalarModel(source)) as ScalarModel;
const wasm = { relaxed: await wasmModel(source, 'relaxed-simd', 512), simd: await wasmModel(source, 'simd', 512) };

async function sampled(model: DiffusionModel, prompt: Int32Array, block: number, settings: DrawSettings) {
  const cache = model.createCache(prompt.length + TOKENS);
  const forwards = new Forwards(
    loneLane(model, cache),
    createDraw(settings, null, prompt),
    new AbortController().signal,
  );
  const first = await forwards.prefill(prompt);
  const plan = {
    maxTokens: TOKENS,
    width: sliding(block),
    policy: createPolicy({ policy: 'confidence', threshold: 0 }, 0),
    verify: true,
    remasking: null,
    approximateCache: null,
  };
  const ids: number[] = [];
  for await (const event of sampleBlocks(forwards, { ...model.config, stopRule: 'none' }, plan, first)) {
    if (event.type === 'settled') ids.push(...event.ids);
  }
  cache.free();
  return ids;
}

/** No cache, no blocks: a whole forward for each token, and the penalty as its papers write it. */
function plainly(prompt: Int32Array, { temperature, topK, topP, minP, seed, logitRules }: DrawSettings): number[] {
  const text = [...prompt];
  const { penalty = 1, window = 0 } = logitRules?.repetition ?? {};
  for (let offset = 0; offset < TOKENS; offset++) {
    const cache = scalar.createCache(text.length);
    const visible = Int32Array.from(text, (_, i) => i + 1);
    const logits = scalar.logits(Int32Array.from(text), cache as Parameters<ScalarModel['logits']>[1], visible).at(-1)!;
    cache.free();
    for (const id of new Set(window === Number.POSITIVE_INFINITY ? text : text.slice(-window))) {
      logits[id] = logits[id]! > 0 ? logits[id]! / penalty : logits[id]! * penalty;
    }
    const none = { target: -1, ids: new Int32Array(), deltas: new Float32Array() };
    const ask = { temperature, topK, topP, minP, uniform: uniform(seed, offset), ...none };
    const { id } = headPredict(logits, scalar.config.maskTokenId, ask);
    text.push(id);
    if (scalar.config.eosTokenIds.includes(id)) break;
  }
  return text.slice(prompt.length);
}

const ALL = Number.POSITIVE_INFINITY;
const settings = (temperature: number, minP: number, penalty: number, window: number, topP = 1): DrawSettings => ({
  ...{ temperature, topP, topK: 0, minP, seed: 5 },
  logitRules: { frequencyPenalty: 0, presencePenalty: 0, logitBias: new Map(), repetition: { penalty, window } },
});

describe.each([
  ['min_p', { ...settings(1, 0.2, 1, 1), logitRules: null }],
  ['min_p and top_p', { ...settings(1.5, 0.05, 1, 1, 0.7), logitRules: null }],
  ['a penalty, greedy', settings(0, 0, 1.5, ALL)],
  ['a penalty on the last 4', settings(0, 0, 2, 4)],
  ['a penalty on the last 64', settings(1, 0, 1.2, 64)],
  ['a reward', settings(0, 0, 0.7, ALL)],
  ['a penalty on the last one, and min_p', settings(1, 0.1, 5, 1)],
  ['a penalty on all, and both cuts', settings(0.8, 0.02, 1.3, ALL, 0.9)],
] as const)('%s', (_name, draw) => {
  const prompts = Array.from({ length: 6 }, (_, i) =>
    Int32Array.from({ length: 3 + 9 * i }, (_, at) => Math.floor(uniform(i, at, 1) * 256)),
  );
  const free = (ids: readonly number[]) => ids.slice(0, ids.indexOf(scalar.config.eosTokenIds[0]!) + 1 || undefined);

  test('on the scalar model it is the plain loop, at every block length', async () => {
    // The oracle is slow: every other prompt.
    for (const prompt of prompts.filter((_, i) => i % 2 === 1)) {
      const plain = plainly(prompt, draw);
      for (const block of [1, 3, 8]) expect(free(await sampled(scalar, prompt, block, draw))).toEqual(plain);
    }
  });

  test.each(['relaxed', 'simd'] as const)(
    'on the kernels it does not depend on the block length, %s',
    async (build) => {
      for (const prompt of prompts) {
        const single = await sampled(wasm[build], prompt, 1, draw);
        for (const block of [2, 5, 16]) expect(await sampled(wasm[build], prompt, block, draw)).toEqual(single);
      }
    },
  );
});
