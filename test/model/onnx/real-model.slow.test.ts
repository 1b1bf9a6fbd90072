/**
 * The shipped model on ONNX Runtime: the greedy text of 20 prompts is PyTorch's. Given the text, one forward has the
 * argmax behind each of its tokens: equal argmaxes are the same text, one at a time.
 */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { OnnxModel } from '../../../src/model/onnx/onnx-model.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { fixture } from '../../support/models.ts';
import { onnxModel, type Provider } from '../../support/runtimes.ts';

const NAME = 'seedling-135m';
const TOKENS = 8;
/** A lead over the second logit that another order of the sums may turn around. */
const NEAR_TIE = 0.02;

const { greedy }: { greedy: readonly { ids: number[]; continuation: number[]; margin: number[] }[] } = JSON.parse(
  await readFile(fixture(`${NAME}.golden.json`), 'utf8'),
);

const source = directorySource(new URL(`../../../models/${NAME}`, import.meta.url).pathname);

/** Expects the first texts, but for near ties. */
async function checkTexts(model: OnnxModel, count: number): Promise<void> {
  let equal = 0;
  const ties: number[] = [];
  for (const { ids, continuation, margin } of greedy.slice(0, count)) {
    const cache = model.createCache(ids.length + TOKENS);
    const text = continuation.slice(0, TOKENS);
    const given = Int32Array.from([...ids, ...text.slice(0, -1)]);
    const predicted = (await model.commit(given, cache, { rows: 'all' })).ids.slice(ids.length - 1);
    cache.free();
    expect(predicted.length).toBe(TOKENS);
    const parted = text.findIndex((id, i) => predicted[i] !== id);
    if (parted === -1) equal += 1;
    else ties.push(margin[parted] ?? Number.NaN);
  }
  console.log(`${model.adapter}: ${equal} of ${count} texts equal; the others part at leads of [${ties}]`);
  for (const lead of ties) expect(lead).toBeLessThan(NEAR_TIE);
  expect(equal).toBeGreaterThanOrEqual(count - 1);
}

test('greedy text of 20 prompts, ONNX on wasm', { timeout: 300_000 }, async () => {
  const model = await onnxModel(source, 'wasm', 128);
  expect(greedy.length).toBe(20);
  await checkTexts(model, greedy.length);
  await model.release();
});

test('two layers and the head of the model, ONNX on webgpu as on wasm', { timeout: 600_000 }, async () => {
  const run = async (provider: Provider) => {
    const model = await onnxModel(source, provider, 128, 2);
    const cache = model.createCache(64);
    const ids = Int32Array.from(greedy[0]!.ids);
    const next = await model.commit(ids, cache, { rows: 'last', targets: Int32Array.of(100) });
    const block = new Int32Array(8).fill(model.config.maskTokenId);
    const drafts = await model.denoise(block, cache, { positions: Int32Array.of(1, 4) });
    const kv = [...(await cache.store.read(cache.length)).values()];
    cache.free();
    await model.release();
    return { next, drafts, kv };
  };
  const [got, expected] = [await run('webgpu'), await run('wasm')];
  for (const part of ['next', 'drafts'] as const) {
    expect(got[part].ids).toEqual(expected[part].ids);
    got[part].probs.forEach((prob, i) => {
      expect(prob).toBeCloseTo(expected[part].probs[i] ?? Number.NaN, 4);
      expect(got[part].entropies[i]).toBeCloseTo(expected[part].entropies[i] ?? Number.NaN, 3);
    });
  }
  expect(got.next.targetProbs?.[0]).toBeCloseTo(expected.next.targetProbs?.[0] ?? Number.NaN, 5);
  for (const [i, tensor] of expected.kv.entries()) {
    const worst = tensor.reduce(
      (most, value, j) => Math.max(most, Math.abs(value - (got.kv[i]?.[j] ?? Number.NaN))),
      0,
    );
    expect(worst).toBeLessThan(1e-3);
  }
});

// SwiftShader takes half a minute of CPU time for one forward of all layers.
const gpuTexts = Number(process.env.GPU_TEXTS || 0);
if (gpuTexts === 0) console.log('greedy texts on WebGPU are left out: GPU_TEXTS=20 runs them, where there is a GPU');
else {
  test(`greedy text of ${gpuTexts} prompts, ONNX on webgpu`, { timeout: 3_600_000 }, async () => {
    await checkTexts(await onnxModel(source, 'webgpu', 128), gpuTexts);
  });
}
