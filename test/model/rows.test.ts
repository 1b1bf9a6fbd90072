/** A row's logits are the same bits in a forward of any width: what a cache holds does not depend on how it was filled. */
import { expect, test } from 'vitest';
import type { Activations } from '../../src/model/linear.ts';
import type { WasmModel } from '../../src/model/wasm-model.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, type Dtype, wasmModel } from '../support/engines/models.ts';

const LENGTH = 47;
const ids = Int32Array.from({ length: LENGTH }, (_, i) => (i * 37 + 11) % 256);

/** Logits of every position, the ids committed `width` at a time. */
async function logits(model: WasmModel, width: number): Promise<Float32Array[]> {
  const cache = model.createCache(LENGTH);
  const rows: Float32Array[] = [];
  for (let at = 0; at < LENGTH; at += width) {
    const piece = ids.subarray(at, at + width);
    await model.commit(piece, cache, { rows: 'all' });
    for (let row = 0; row < piece.length; row++) {
      rows.push(model.decoder.logits(Int32Array.of(row)).slice(0, model.config.vocabSize));
    }
  }
  cache.free();
  return rows;
}

const CASES = (['int4', 'int8', 'f32'] as Dtype[]).flatMap((dtype) =>
  (['int8', 'int16'] as Activations[]).flatMap((activations) =>
    flavours.map((flavour) => [dtype, activations, flavour] as const),
  ),
);

test.each(CASES)('%s weights, %s activations, %s', async (dtype, activations, flavour) => {
  const model = await wasmModel(await convertFixture('tiny-llama', dtype), flavour, 64, activations);
  const whole = await logits(model, LENGTH);
  for (const width of [1, 2, 3, 4, 7, 8, 16, 21]) expect(await logits(model, width)).toEqual(whole);
});
