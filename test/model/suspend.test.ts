/** A cache that gives its pages back has the same KV once its tokens have run again. */
import { describe, expect, test } from 'vitest';
import type { KvCache } from '../../src/model/model.ts';
import type { WasmModel } from '../../src/model/wasm-model.ts';
import { convertFixture, wasmModel } from '../support/engines/models.ts';
import { readKv } from '../support/engines/runtimes.ts';

const TOKENS = 256;
const text = Int32Array.from({ length: 160 }, (_, i) => (i * 37 + 11) % 256);

async function commit(model: WasmModel, cache: KvCache, from: number, to: number): Promise<void> {
  await model.commit(text.subarray(from, to), cache, { rows: 'none' });
}

/** Runs again what was lost, in pieces. */
async function recover(model: WasmModel, cache: KvCache, piece: number): Promise<number> {
  const length = cache.length;
  const lost = cache.restore(length);
  expect(cache.length + lost.length).toBe(length);
  for (let at = 0; at < lost.length; at += piece) {
    await model.commit(lost.subarray(at, at + piece), cache, { rows: 'none' });
  }
  return lost.length;
}

describe.each(['causal', 'block_causal'] as const)('%s', (contextAttention) => {
  const load = async () =>
    wasmModel(await convertFixture('tiny-llama', 'int4', { contextAttention }), 'relaxed-simd', TOKENS);

  test.each([undefined, { ids: text, key: '' }])('the same bits, with prefix %#', async (prefix) => {
    const model = await load();
    const cache = model.createCache(160, prefix, 24);
    const expected = (await load()).createCache(160);
    const whole = await load();
    for (const [from, to] of [
      [0, 64],
      [64, 96],
      [96, 136],
    ] as const) {
      await commit(model, cache, from, to);
      expect(cache.suspend()).toBe(true);
      expect(cache.suspend()).toBe(false);
      expect([cache.length, cache.room, model.freeTokens]).toEqual([to, 0, TOKENS]);
      await expect(commit(model, cache, to, to + 8)).rejects.toThrow('restored first');
      const lost = await recover(model, cache, 24);
      expect(lost).toBe(prefix ? 0 : to);
    }
    expected.free();
    const lone = whole.createCache(160);
    await commit(whole, lone, 0, 136);
    expect(await readKv(model, cache)).toEqual(await readKv(whole, lone));
    cache.free();
    expect(model.freeTokens).toBe(TOKENS);
  });

  test('tokens that were taken back do not come again', async () => {
    const model = await load();
    const cache = model.createCache(160);
    await commit(model, cache, 0, 64);
    cache.suspend();
    cache.truncate(40);
    expect(await recover(model, cache, 64)).toBe(40);
    expect(cache.length).toBe(40);
  });

  test('one that is freed meanwhile gives nothing back twice', async () => {
    const model = await load();
    const cache = model.createCache(160);
    await commit(model, cache, 0, 64);
    cache.suspend();
    cache.free();
    cache.free();
    expect(model.freeTokens).toBe(TOKENS);
    expect(() => cache.restore(0)).toThrow('after it was freed');
  });
});

test('drafts that were committed before a suspension can still be taken back', async () => {
  const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'relaxed-simd', TOKENS);
  const cache = model.createCache(160, { ids: text.subarray(0, 3), key: '' });
  await commit(model, cache, 0, 3);
  // Drafts to the end of a page, then the page is given back and comes from the prefix cache again.
  await commit(model, cache, 3, 8);
  cache.suspend();
  const lost = cache.restore(3);
  expect(lost).toEqual(text.slice(0, 8));
  await commit(model, cache, 0, 8);
  cache.truncate(5);
  expect(cache.length).toBe(5);
});

test('a block that two commits wrote would not have the same KV again: its pages stay', async () => {
  const model = await wasmModel(
    await convertFixture('tiny-llama', 'int4', { contextAttention: 'block_causal' }),
    'relaxed-simd',
    TOKENS,
  );
  const cache = model.createCache(160);
  await commit(model, cache, 0, 12);
  await commit(model, cache, 12, 16);
  expect(cache.suspend()).toBe(false);
  expect(cache.room).toBe(160);
});

test('a cache never has more room than it may hold', async () => {
  const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'relaxed-simd', TOKENS);
  const cache = model.createCache(16, undefined, 17);
  expect([cache.room, cache.capacity, model.freeTokens]).toEqual([16, 16, TOKENS - 16]);
});

test('a cache grows by pages, and refuses what the pool does not have', async () => {
  const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'relaxed-simd', TOKENS);
  const growing = model.createCache(200, undefined, 9);
  const other = model.createCache(200);
  expect([growing.room, model.freeTokens]).toEqual([16, 40]);
  expect(growing.reserve(16)).toBe(true);
  expect(growing.reserve(60)).toBe(false);
  expect([growing.room, model.freeTokens]).toEqual([16, 40]);
  await expect(commit(model, growing, 0, 60)).rejects.toThrow('no page of the KV pool is free');
  await commit(model, growing, 0, 56);
  expect([growing.room, model.freeTokens]).toEqual([56, 0]);
  other.free();
  await commit(model, growing, 56, 160);
  expect(growing.length).toBe(160);
});
