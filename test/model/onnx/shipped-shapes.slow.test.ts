/** The shipped model's shapes on SwiftShader, the adapter of the conformance suite, where a forward of it takes many seconds. */
import { expect, test } from 'vitest';
import { checkGreedyTexts, greedyTexts, shippedModel } from '../../support/engines/greedy-texts.ts';
import { onnxModel, type Provider } from '../../support/engines/runtimes.ts';
import { chooseSwiftShader } from '../../support/engines/software-adapters.ts';

const texts = await greedyTexts();
chooseSwiftShader();

test('two layers and the head, ONNX on webgpu as on wasm', { timeout: 1_200_000 }, async () => {
  const run = async (provider: Provider) => {
    const model = await onnxModel(shippedModel, provider, 128, 2);
    const cache = model.createCache(64);
    const ids = Int32Array.from(texts[0]!.ids);
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

test('all layers write the texts of the two shortest prompts, ONNX on webgpu', { timeout: 1_200_000 }, async () => {
  const model = await onnxModel(shippedModel, 'webgpu', 64);
  const shortest = texts.toSorted((a, b) => a.ids.length - b.ids.length).slice(0, 2);
  await checkGreedyTexts(model, shortest, 8, 0.02, 0);
  await model.release();
});
