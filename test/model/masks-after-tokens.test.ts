/** Block length 1 in one forward: a mask in the place after each clean token, that sees the tokens up to there alone. */
import { describe, expect, it } from 'vitest';
import type { DiffusionModel, KvCache, Predictions, SequenceForward } from '../../src/model/model.ts';
import { uniform } from '../../src/sampler/random.ts';
import { convertFamily, type FamilyName, withConfig } from '../support/engines/families.ts';
import { scalarModel, wasmModel } from '../support/engines/models.ts';
import { onnxModel, readKv } from '../support/engines/runtimes.ts';

const NONE = new Int32Array();
const SHIFTLESS = [
  'tiny-a2d-bd3lm',
  'tiny-a2d-qwen3-bd3lm',
  'sdar',
  'stable-diffcoder',
] as const satisfies readonly FamilyName[];

const ids = (count: number, seed: number) =>
  Int32Array.from({ length: count }, (_, i) => 6 + Math.floor(uniform(seed, i) * 240));

async function run(model: DiffusionModel, sequence: SequenceForward) {
  const [answer] = await model.forward([sequence]);
  return answer!;
}

const causal = (model: DiffusionModel) => model.createCache(40, undefined, undefined, 'causal');

const sampling = (rows: number, seed: number) => ({
  temperature: 0.8,
  topP: 0.9,
  topK: 0,
  uniforms: Float32Array.from({ length: rows }, (_, i) => uniform(seed, i)),
});

/** Tokens one by one, and a mask alone after each: what the forward with all masks must equal. */
async function sequentially(model: DiffusionModel, prompt: Int32Array, clean: Int32Array, seed: number) {
  const cache = causal(model);
  await model.commit(prompt, cache, { rows: 'none' });
  const found: Predictions[] = [];
  for (const [i, id] of clean.entries()) {
    await model.commit(Int32Array.of(id), cache, { rows: 'none' });
    const { uniforms, ...rest } = sampling(clean.length, seed);
    const one = { ...rest, uniforms: uniforms.subarray(i, i + 1) };
    const ask = { positions: Int32Array.of(0), sampling: one, alternatives: 3 };
    found.push(await model.denoise(Int32Array.of(model.config.maskTokenId), cache, ask));
  }
  const kv = await readKv(model, cache);
  cache.free();
  return { found, kv };
}

async function together(
  model: DiffusionModel,
  prompt: Int32Array,
  clean: Int32Array,
  masks: number,
  seed: number,
  run_ = run,
) {
  const cache = causal(model);
  await model.commit(prompt, cache, { rows: 'none' });
  const block = new Int32Array(masks).fill(model.config.maskTokenId);
  const ask = {
    rows: 'all' as const,
    byMasks: true,
    sampling: sampling(clean.length, seed),
    positions: Int32Array.from(block, (_, i) => i),
    alternatives: 3,
  };
  const answer = await run_(model, { cache, clean, block, ask });
  const kv = await readKv(model, cache);
  return { ...answer, kv, cache };
}

function rowOf({ ids, probs, entropies, topIds, topProbs }: Predictions, row: number) {
  const top = [row * 3, row * 3 + 3] as const;
  return [ids[row], probs[row], entropies[row], [...topIds!.subarray(...top)], [...topProbs!.subarray(...top)]];
}

describe.each(SHIFTLESS)('%s', async (name) => {
  const source = await convertFamily(name);

  it.each([
    ['relaxed-simd', 'int8'],
    ['simd', 'int16'],
  ] as const)('has the bits of one token at a time, with a block after them or none, %s, %s', async (flavour, kv) => {
    const model = await wasmModel(source, flavour, 256, kv);
    for (let seed = 0; seed < 12; seed++) {
      const prompt = ids(1 + (seed % 7), seed);
      const clean = ids(1 + (seed % 5), seed + 100);
      const expected = await sequentially(model, prompt, clean, seed);
      const { committed, cache, kv: own } = await together(model, prompt, clean, seed % 4, seed);
      expect(cache.length).toBe(prompt.length + clean.length);
      for (const [i, one] of expected.found.entries()) expect(rowOf(committed, i)).toEqual(rowOf(one, 0));
      expect(own).toEqual(expected.kv);
      cache.free();
    }
    expect(model.freeTokens).toBe(model.maxTokens);
  });

  it('predicts the block after them as a denoise does', async () => {
    const model = await wasmModel(source, 'relaxed-simd', 256, 'int8');
    const [prompt, clean] = [ids(5, 1), ids(3, 2)];
    const { block, cache } = await together(model, prompt, clean, 4, 3);
    const again = causal(model);
    await model.commit(Int32Array.of(...prompt, ...clean), again, { rows: 'none' });
    const masks = new Int32Array(4).fill(model.config.maskTokenId);
    const alone = await model.denoise(masks, again, { positions: Int32Array.of(0, 1, 2, 3), alternatives: 3 });
    expect(block).toEqual(alone);
    cache.free();
    again.free();
  });

  it('is block length 1 of the scalar oracle', async () => {
    const model = await wasmModel(source, 'relaxed-simd', 256, 'int16');
    const oracle = await scalarModel(withConfig(source, { blockLength: 1 }));
    for (let seed = 0; seed < 4; seed++) {
      const [prompt, clean] = [ids(3 + seed, seed), ids(3, seed + 50)];
      const { committed } = await together(model, prompt, clean, 2, seed);
      const cache: KvCache = oracle.createCache(40);
      await oracle.commit(prompt, cache, { rows: 'none' });
      for (const [i, id] of clean.entries()) {
        await oracle.commit(Int32Array.of(id), cache, { rows: 'none' });
        const ask = { positions: Int32Array.of(0), alternatives: 3 };
        const one = await oracle.denoise(Int32Array.of(model.config.maskTokenId), cache, ask);
        expect(committed.topIds!.subarray(i * 3, i * 3 + 1)).toEqual(one.topIds!.subarray(0, 1));
        expect(Math.abs(committed.topProbs![i * 3]! - one.topProbs![0]!)).toBeLessThan(2e-3);
        expect(Math.abs(committed.entropies[i]! - one.entropies[0]!)).toBeLessThan(5e-3);
      }
    }
  });

  it('runs with other sequences of a batch, with the same bits', async () => {
    const model = await wasmModel(source, 'relaxed-simd', 256, 'int8');
    const prompts = [ids(5, 1), ids(9, 2), ids(1, 3)];
    const lone = [];
    for (const [i, prompt] of prompts.entries()) lone.push(await together(model, prompt, ids(2 + i, i), 2 - i, i));
    const caches = prompts.map(() => causal(model));
    for (const [i, prompt] of prompts.entries()) await model.commit(prompt, caches[i]!, { rows: 'none' });
    const answers = await model.forward(
      prompts.map((_, i) => {
        const block = new Int32Array(2 - i).fill(model.config.maskTokenId);
        const positions = Int32Array.from(block, (_, at) => at);
        const ask = { rows: 'all' as const, byMasks: true, sampling: sampling(2 + i, i), positions, alternatives: 3 };
        return { cache: caches[i]!, clean: ids(2 + i, i), block, ask };
      }),
    );
    for (const [i, { committed, block }] of answers.entries()) {
      expect(committed).toEqual(lone[i]!.committed);
      expect(block).toEqual(lone[i]!.block);
      expect(await readKv(model, caches[i]!)).toEqual(lone[i]!.kv);
    }
  });
});

it.each(['sdar', 'stable-diffcoder'] as const)('runs on ONNX Runtime, as on the scalar oracle, %s', async (name) => {
  const source = await convertFamily(name);
  const [onnx, oracle] = [await onnxModel(source, 'wasm', 128), await scalarModel(source)];
  for (let seed = 0; seed < 3; seed++) {
    const [prompt, clean] = [ids(2 + 3 * seed, seed), ids(1 + seed, seed + 10)];
    const [one, other] = [
      await together(onnx, prompt, clean, seed, seed),
      await together(oracle, prompt, clean, seed, seed),
    ];
    for (const part of ['committed', 'block'] as const) {
      expect(one[part].ids).toEqual(other[part].ids);
      for (const [i, prob] of one[part].probs.entries())
        expect(Math.abs(prob - other[part].probs[i]!)).toBeLessThan(1e-4);
    }
    one.kv.forEach((tensor, t) => {
      tensor.forEach((value, i) => {
        if (Math.abs(value - other.kv[t]![i]!) > 1e-4) expect(value).toBe(other.kv[t]![i]);
      });
    });
  }
  await onnx.release();
});

it('refuses masks in a cache whose tokens see their block', async () => {
  const model = await wasmModel(await convertFamily('sdar'), 'relaxed-simd');
  const cache = model.createCache(16);
  const ask = { rows: 'all' as const, byMasks: true, positions: NONE };
  expect(() => model.forward([{ cache, clean: ids(2, 0), block: NONE, ask }])).toThrow(RangeError);
  expect(cache.length).toBe(0);
});
