import { describe, expect, test } from 'vitest';
import { mostProbable } from '../../src/model/alternatives.ts';
import type { DiffusionModel } from '../../src/model/model.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, scalarModel, wasmModel } from '../support/engines/models.ts';
import { onnxModel } from '../support/engines/runtimes.ts';

function top(logits: readonly number[], maskId: number, count: number) {
  const ids = new Int32Array(count);
  const probs = new Float32Array(count);
  mostProbable(Float32Array.from(logits), maskId, ids, probs);
  return { ids: [...ids], probs: [...probs] };
}

test('best first, lowest of equals, never the mask', () => {
  expect(top([1, 9, 3, 2, 3], 1, 3).ids).toEqual([2, 4, 3]);
  const { probs } = top([0, 50, Math.log(3)], 1, 2);
  expect(probs[0]).toBeCloseTo(0.75, 6);
  expect(probs[1]).toBeCloseTo(0.25, 6);
});

const source = await convertFixture('tiny-llama', 'f32');
const scalar = await scalarModel(source);
const models: readonly (readonly [string, () => Promise<DiffusionModel>])[] = [
  ['scalar', async () => scalar],
  ...flavours.map((flavour) => [`wasm ${flavour}`, () => wasmModel(source, flavour, 512, 'int16')] as const),
  ['onnx on wasm', () => onnxModel(source, 'wasm', 512)],
  ['onnx on webgpu', () => onnxModel(source, 'webgpu', 512)],
];

// A software adapter compiles its shaders first.
describe.each(models)('%s', { timeout: 240_000 }, (_name, load) => {
  const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37 + 11) % 256);

  test('alternatives are the most probable ids, whatever is drawn', async () => {
    const model = await load();
    const mask = model.config.maskTokenId;
    const cache = model.createCache(120);
    const greedy = await model.commit(ids, cache, { rows: 'all', alternatives: 3 });
    const uniforms = new Float32Array(ids.length).fill(0.9);
    const second = model.createCache(120);
    const sampling = { temperature: 2, topP: 1, topK: 0, uniforms };
    const drawn = await model.commit(ids, second, { rows: 'all', alternatives: 3, sampling });
    expect([...(drawn.topIds ?? [])]).toEqual([...(greedy.topIds ?? [])]);
    for (let row = 0; row < ids.length; row++) {
      expect(greedy.topIds?.[row * 3]).toBe(greedy.ids[row]);
      expect(greedy.topProbs?.[row * 3]).toBeCloseTo(greedy.probs[row]!, 5);
    }
    const block = new Int32Array(4).fill(mask);
    const ask = { rows: 'last', positions: Int32Array.of(1, 2), alternatives: 2 } as const;
    const advanced = await model.advance(ids.subarray(0, 2), block, cache, ask);
    expect([advanced.committed.topIds?.length, advanced.block.topIds?.length]).toEqual([2, 4]);
    expect(advanced.block.topIds?.[0]).toBe(advanced.block.ids[0]);
    cache.free();
    second.free();
  });

  test('are those of the oracle', async () => {
    const [got, expected] = await Promise.all(
      [await load(), scalar].map(async (model) => {
        const cache = model.createCache(64);
        const predictions = await model.commit(ids, cache, { rows: 'all', alternatives: 5 });
        cache.free();
        return predictions;
      }),
    );
    expect(got?.topIds).toEqual(expected?.topIds);
    for (const [i, prob] of (got?.topProbs ?? []).entries()) expect(prob).toBeCloseTo(expected?.topProbs?.[i] ?? -1, 4);
  });
});
