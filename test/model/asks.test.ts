/** What can be asked of a position besides its id: targets, adjusted logits, positions that are not masked. */
import { describe, expect, test } from 'vitest';
import type { Adjustment, DiffusionModel, Predictions, Sampling } from '../../src/model/model.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, scalarModel, wasmModel } from '../support/engines/models.ts';

const source = await convertFixture('tiny-llama', 'f32');
const scalar = await scalarModel(source);

const models: readonly (readonly [string, () => Promise<DiffusionModel>])[] = [
  ['scalar', async () => scalar],
  ...flavours.map((flavour) => [`wasm ${flavour}`, () => wasmModel(source, flavour, 512, 'int16')] as const),
];

const ids = Int32Array.from({ length: 80 }, (_, i) => (i * 37 + 11) % 256);
const vocabulary = Int32Array.from({ length: scalar.config.vocabSize }, (_, id) => id);
const greedy = (rows: number, adjustments?: readonly Adjustment[]): Sampling => ({
  temperature: 0,
  topP: 1,
  topK: 0,
  uniforms: new Float32Array(rows),
  adjustments,
});
const change = (id: number, delta: number): Adjustment => ({ ids: Int32Array.of(id), deltas: Float32Array.of(delta) });

function expectClose(a: Float32Array | undefined, b: Float32Array | undefined, digits = 4): void {
  expect(a?.length).toBe(b?.length);
  for (const [i, value] of (a ?? []).entries()) expect(value).toBeCloseTo(b?.[i] ?? Number.NaN, digits);
}

describe.each(models)('%s', (_name, load) => {
  test('the probabilities of all ids but the mask add up to one, and that of the chosen id is its own', async () => {
    const model = await load();
    const cache = model.createCache(64);
    await model.commit(ids.subarray(0, 12), cache, { rows: 'last' });
    const block = new Int32Array(8).fill(model.config.maskTokenId);
    const positions = Int32Array.of(3);
    let sum = 0;
    let chosen: Predictions | undefined;
    for (const target of vocabulary) {
      chosen = await model.denoise(block.subarray(0, 4), cache, { positions, targets: Int32Array.of(target) });
      sum += chosen.targetProbs?.[0] ?? Number.NaN;
      if (target === model.config.maskTokenId) expect(chosen.targetProbs?.[0]).toBe(0);
      if (target === chosen.ids[0]) expectClose(chosen.targetProbs, chosen.probs, 6);
    }
    expect(sum).toBeCloseTo(1, 3);
    cache.free();
    const fresh = model.createCache(64);
    expect((await model.commit(ids.subarray(0, 12), fresh, { rows: 'last' })).targetProbs).toBeUndefined();
    fresh.free();
  });

  test('targets of a commit in tiles, of a denoise and of an advance are those of the oracle', async () => {
    const model = await load();
    const positions = Int32Array.of(1, 2, 5);
    const targets = ids.map((id) => (id + 3) % 256);
    const blockTargets = Int32Array.of(9, 200, 31);
    const block = ids.slice(0, 6).fill(model.config.maskTokenId, 1);
    const run = async (on: DiffusionModel) => {
      const cache = on.createCache(120);
      const committed = await on.commit(ids, cache, { rows: 'all', targets });
      const last = await on.commit(ids.subarray(0, 1), cache, { rows: 'last', targets: Int32Array.of(77) });
      const denoised = await on.denoise(block, cache, { positions, targets: blockTargets });
      const clean = ids.subarray(1, 4);
      const ask = { rows: 'all', positions, targets: targets.subarray(1, 4), blockTargets } as const;
      const advanced = await on.advance(clean, block, cache, ask);
      cache.free();
      return [committed, last, denoised, advanced.committed, advanced.block];
    };
    const [got, expected] = [await run(model), await run(scalar)];
    for (const [i, predictions] of got.entries()) {
      expectClose(predictions.targetProbs, expected[i]?.targetProbs);
      expect(Math.max(...(predictions.targetProbs ?? []))).toBeGreaterThan(0);
    }
  });

  test('each row is chosen with its own adjustment; probability and entropy stay plain', async () => {
    const model = await load();
    const rows = 80; // two tiles, and chunks of the head
    const run = async (sampling?: Sampling, targets?: Int32Array) => {
      const cache = model.createCache(rows);
      const predictions = await model.commit(ids, cache, { rows: 'all', sampling, targets });
      cache.free();
      return predictions;
    };
    const plain = await run();
    const none: Adjustment = { ids: new Int32Array(), deltas: new Float32Array() };
    // By turns: ban the argmax, force an id, nothing.
    const adjustments = Array.from(plain.ids, (id, i) => [change(id, -100), change((i * 5) % 256, 100), none][i % 3]!);
    const adjusted = await run(greedy(rows, adjustments));
    for (const [i, id] of adjusted.ids.entries()) {
      if (i % 3 === 0) expect(id).not.toBe(plain.ids[i]);
      if (i % 3 === 1) expect(id).toBe((i * 5) % 256);
      if (i % 3 === 2) expect(id).toBe(plain.ids[i]);
    }
    expectClose(adjusted.entropies, plain.entropies, 6);
    expectClose(adjusted.probs, (await run(undefined, adjusted.ids)).targetProbs, 6);
    // One object for all rows.
    const banned = change(plain.ids[0] ?? 0, -100);
    const shared = await run(greedy(rows, new Array(rows).fill(banned)));
    expect(shared.ids.includes(plain.ids[0] ?? 0)).toBe(false);
    for (const [i, id] of shared.ids.entries()) if (plain.ids[i] !== plain.ids[0]) expect(id).toBe(plain.ids[i]);
  });

  test('an advance keeps the adjustments of its two parts apart', async () => {
    const model = await load();
    const cache = model.createCache(64);
    const [clean, block] = [ids.subarray(0, 5), new Int32Array(4).fill(model.config.maskTokenId)];
    const { committed, block: drafted } = await model.advance(clean, block, cache, {
      rows: 'last',
      sampling: greedy(1, [change(40, 100)]),
      positions: Int32Array.of(1, 3),
      blockSampling: greedy(2, [change(41, 100), change(42, 100)]),
    });
    expect([...committed.ids, ...drafted.ids]).toEqual([40, 41, 42]);
    cache.free();
  });

  test('a drawn id is the same with a neutral adjustment, and has its plain probability', async () => {
    const model = await load();
    const warm = { temperature: 0.9, topP: 0.95, topK: 40, uniforms: Float32Array.from(ids, (_, i) => (i % 17) / 17) };
    const run = async (sampling: Sampling, targets?: Int32Array) => {
      const cache = model.createCache(80);
      const predictions = await model.commit(ids, cache, { rows: 'all', sampling, targets });
      cache.free();
      return predictions;
    };
    const drawn = await run(warm);
    const neutral = await run({ ...warm, adjustments: new Array(80).fill(change(7, 0)) }, drawn.ids);
    expect(neutral.ids).toEqual(drawn.ids);
    expectClose(neutral.probs, drawn.probs, 5);
    expectClose(neutral.targetProbs, drawn.probs, 5);
  });

  test('visible positions are predicted like masked ones', async () => {
    const model = await load();
    const positions = Int32Array.of(1, 2, 3, 4);
    const block = Int32Array.of(...ids.subarray(20, 22), model.config.maskTokenId, ids[23] ?? 0, ids[24] ?? 0);
    const run = async (on: DiffusionModel) => {
      const cache = on.createCache(64);
      await on.commit(ids.subarray(0, 9), cache, { rows: 'last' });
      const predictions = await on.denoise(block, cache, { positions, targets: block.subarray(1) });
      cache.free();
      return predictions;
    };
    const [got, expected] = [await run(model), await run(scalar)];
    expect(got.ids).toEqual(expected.ids);
    expectClose(got.targetProbs, expected.targetProbs);
  });

  test('an ask that does not fit its rows is refused before any work', async () => {
    const model = await load();
    const cache = model.createCache(64);
    const commit = (ask: object) => model.commit(ids.subarray(0, 5), cache, { rows: 'all', ...ask });
    await expect(commit({ targets: new Int32Array(4) })).rejects.toThrow('4 targets for 5 positions');
    await expect(commit({ targets: Int32Array.of(1, 2, 3, 4, 264) })).rejects.toThrow('outside the vocabulary');
    await expect(commit({ sampling: greedy(4) })).rejects.toThrow('4 uniforms for 5 positions');
    await expect(commit({ sampling: greedy(5, [change(1, 1)]) })).rejects.toThrow('1 adjustments for 5 positions');
    const strange = greedy(5, new Array(5).fill(change(-1, 1)));
    await expect(commit({ sampling: strange })).rejects.toThrow('outside the vocabulary');
    expect(cache.length).toBe(0);
    cache.free();
  });
});
