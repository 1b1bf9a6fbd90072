/** The fp16 graph, which a GPU with `shader-f16` runs: SwiftShader has no such feature, Mesa's lavapipe has. */
import { expect, test } from 'vitest';
import { provideWebGpu } from '../../../src/hosts/node/host/onnx.ts';
import { checkGreedyTexts, greedyTexts, shippedModel } from '../../support/engines/greedy-texts.ts';
import { convertFixture } from '../../support/engines/models.ts';
import { onnxModel, readKv } from '../../support/engines/runtimes.ts';
import { chooseFastest } from '../../support/engines/software-adapters.ts';

chooseFastest();
await provideWebGpu();
const adapter = await navigator.gpu.requestAdapter();
const missing = !adapter?.features.has('shader-f16');
if (missing) console.log(`fp16 is left out: ${adapter?.info.description ?? 'no adapter'} has no shader-f16`);

test.skipIf(missing).for(['tiny-llama', 'tiny-qwen3'])('%s in fp16 is the fp32 graph, rounded', async (name) => {
  const source = await convertFixture(name, 'int4');
  const run = async (provider: 'webgpu' | 'wasm') => {
    const model = await onnxModel(source, provider, 64);
    const cache = model.createCache(64);
    const next = await model.commit(Int32Array.of(5, 6, 7, 8, 9), cache, { rows: 'all' });
    const block = new Int32Array(4).fill(model.config.maskTokenId);
    const positions = Int32Array.of(1, 2, 3);
    const drafts = await model.denoise(block, cache, { positions, targets: Int32Array.of(3, 4, 5) });
    const advanced = await model.advance(Int32Array.of(10), block, cache, { rows: 'last', positions });
    const kv = await readKv(model, cache);
    cache.free();
    await model.release();
    return { adapter: model.adapter, answers: [next, drafts, advanced.committed, advanced.block], kv };
  };
  const [got, expected] = [await run('webgpu'), await run('wasm')];
  expect(got.adapter).toMatch(/fp16$/);
  let worst = 0;
  const compare = (a: Float32Array, b: Float32Array) => {
    expect(a.length).toBe(b.length);
    b.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - (a[i] ?? Number.NaN)));
    });
  };
  for (const [i, answer] of expected.answers.entries()) {
    compare(got.answers[i]!.probs, answer.probs);
    compare(got.answers[i]!.entropies, answer.entropies);
    if (answer.targetProbs) compare(got.answers[i]!.targetProbs!, answer.targetProbs);
  }
  for (const [i, tensor] of expected.kv.entries()) compare(got.kv[i]!, tensor);
  console.log(`${name}: fp16 is at most ${worst.toExponential(1)} off`);
  expect(worst).toBeLessThan(2e-2);
  // Equal to the last bit would be fp32.
  expect(worst).toBeGreaterThan(1e-5);
});

test.skipIf(missing)('greedy text of 20 prompts in fp16', { timeout: 3_600_000 }, async () => {
  const model = await onnxModel(shippedModel, 'webgpu', 128);
  expect(model.adapter).toMatch(/fp16$/);
  const texts = await greedyTexts();
  expect(texts.length).toBe(20);
  await checkGreedyTexts(model, texts, 8, 0.1, 4);
  await model.release();
});
