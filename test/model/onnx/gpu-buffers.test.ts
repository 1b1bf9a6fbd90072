/** What a request takes of the GPU it gives back, whichever way it ends. */
import { beforeAll, expect, test } from 'vitest';
import type { OnnxModel } from '../../../src/model/onnx/onnx-model.ts';
import { convertFixture } from '../../support/engines/models.ts';
import { onnxModel } from '../../support/engines/runtimes.ts';

const ids = Int32Array.from({ length: 21 }, (_, i) => (i * 37 + 11) % 256);
const LAST = { rows: 'last' } as const;
let model: OnnxModel;
let live = 0;

/** Counts the buffers of the device, ONNX Runtime's own among them. */
function countBuffers(): void {
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    live++;
    const destroy = buffer.destroy.bind(buffer);
    let gone = false;
    buffer.destroy = () => {
      if (!gone) live--;
      gone = true;
      return destroy();
    };
    return buffer;
  };
}

beforeAll(async () => {
  const { provideWebGpu } = await import('../../../src/hosts/node/host/onnx.ts');
  const source = await convertFixture('tiny-llama', 'int4');
  await provideWebGpu();
  countBuffers();
  model = await onnxModel(source, 'webgpu', 128);
}, 240_000);

async function request(): Promise<void> {
  const cache = model.createCache(32);
  await model.commit(ids, cache, LAST);
  const sampling = { temperature: 1, topP: 1, topK: 0, uniforms: Float32Array.of(0.5) };
  const block = new Int32Array(4).fill(model.config.maskTokenId);
  await model.denoise(block, cache, { positions: Int32Array.of(2), sampling });
  await model.advance(ids.subarray(0, 2), block, cache, { ...LAST, positions: Int32Array.of(1) });
  cache.free();
}

test('requests that end leave no buffer, failed and interrupted ones neither', { timeout: 240_000 }, async () => {
  // The first runs fill ONNX Runtime's own pool.
  for (let i = 0; i < 3; i++) await request();
  const settled = live;
  expect(settled).toBeGreaterThan(0);
  const cache = model.createCache(32);
  expect(live - settled).toBe(2 * model.config.numLayers);
  cache.free();
  expect(live).toBe(settled);

  for (let i = 0; i < 3; i++) await request();
  expect(live).toBe(settled);

  // Freed while its forward runs: the forward ends first.
  const abandoned = model.createCache(32);
  const forward = model.commit(ids, abandoned, LAST);
  abandoned.free();
  expect(model.freeTokens).toBe(96);
  await forward;
  await expect(model.commit(ids, abandoned, LAST)).rejects.toThrow('after it was freed');
  expect(live).toBe(settled);

  const refused = model.createCache(8);
  await expect(model.commit(ids, refused, LAST)).rejects.toThrow(RangeError);
  refused.free();
  expect(live).toBe(settled);
  expect(model.freeTokens).toBe(model.maxTokens);
});

test('forwards that begin at once run one after the other', { timeout: 120_000 }, async () => {
  const caches = Array.from({ length: 4 }, () => model.createCache(24));
  const answers = await Promise.all(caches.map((cache) => model.commit(ids, cache, LAST)));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  for (const cache of caches) cache.free();
});
