/**
 * The shipped model on ONNX Runtime: the greedy text of 20 prompts is PyTorch's. Given the text, one forward has the
 * argmax behind each of its tokens: equal argmaxes are the same text, one at a time.
 */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { directorySource } from '../../../src/directory-source.ts';
import { fixture } from '../../support/models.ts';
import { onnxModel, type Provider } from '../../support/runtimes.ts';

const NAME = 'seedling-135m';
const TOKENS = 8;
/** A lead over the second logit that another order of the sums may turn around. */
const NEAR_TIE = 0.02;

const { greedy }: { greedy: readonly { ids: number[]; continuation: number[]; margin: number[] }[] } = JSON.parse(
  await readFile(fixture(`${NAME}.golden.json`), 'utf8'),
);

describe.each<Provider>(['wasm', 'webgpu'])(`${NAME}, ONNX on %s`, (provider) => {
  test('greedy text of 20 prompts, and what it costs in memory', { timeout: 600_000 }, async () => {
    const source = directorySource(new URL(`../../../models/${NAME}`, import.meta.url).pathname);
    const model = await onnxModel(source, provider, 128);
    let equal = 0;
    const ties: number[] = [];
    for (const { ids, continuation, margin } of greedy) {
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
    console.log(`${model.adapter}: ${equal} of ${greedy.length} texts equal; the others part at leads of [${ties}]`);
    expect(greedy.length).toBe(20);
    for (const lead of ties) expect(lead).toBeLessThan(NEAR_TIE);
    expect(equal).toBeGreaterThanOrEqual(19);
    await model.release();
  });
});
