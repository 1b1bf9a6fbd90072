/** A model on two threads says what it says on one. */
import { expect, test } from 'vitest';
import { nodeThreads } from '../../src/hosts/node/host/threads.ts';
import type { WasmModel } from '../../src/model/wasm-model.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, type Dtype, wasmModel } from '../support/engines/models.ts';

const ids = Int32Array.from({ length: 75 }, (_, i) => (i * 37 + 11) % 256);

async function outputs(model: WasmModel) {
  const cache = model.createCache(96);
  const committed = await model.commit(ids, cache, { rows: 'all' });
  const logits = model.decoder.logits(Int32Array.of(0, 7)).slice();
  const drafted = await model.denoise(new Int32Array(8).fill(model.config.maskTokenId), cache, {
    positions: Int32Array.of(1, 2, 3, 7),
  });
  cache.free();
  return { committed, logits, drafted };
}

test.each(
  (['int4', 'int8', 'f32'] as Dtype[]).flatMap((dtype) => flavours.map((flavour) => [dtype, flavour] as const)),
)('%s weights, %s', async (dtype, flavour) => {
  const source = await convertFixture('tiny-qwen3', dtype);
  const model = await wasmModel(source, flavour, 96, 'int16', nodeThreads(2));
  try {
    expect(await outputs(model)).toEqual(await outputs(await wasmModel(source, flavour, 96, 'int16')));
  } finally {
    await model.close();
  }
  await expect(outputs(model)).rejects.toThrow('the kernel threads were closed');
});

test('weights that are wrong are refused before a thread starts', async () => {
  const source = await convertFixture('tiny-qwen3', 'int4');
  const empty = { ...source, stream: async () => new Response('x').body as ReadableStream<Uint8Array> };
  const start = () => Promise.reject(new Error('started'));
  await expect(wasmModel(empty, 'simd', 96, 'int8', { count: 2, start })).rejects.toThrow(
    /weights-000\.bin has 1 bytes/,
  );
});
