import { expect, test } from 'vitest';
import { OutOfMemoryError } from '../../src/model/errors.ts';
import { KvPool } from '../../src/model/kv/pool.ts';

test('pages are owned by one cache at a time and come back once', () => {
  const pool = new KvPool(1000, 5, 100, 8);
  const a = pool.create(9);
  const b = pool.create(24);
  expect([a.capacity, b.capacity, pool.freeTokens]).toEqual([16, 24, 0]);
  const owned = [...a.pages, ...b.pages];
  expect(new Set(owned).size).toBe(5);
  expect(owned.every((page) => page >= 1000 && page < 1500 && page % 100 === 0)).toBe(true);
  a.free();
  a.free();
  expect(pool.freeTokens).toBe(16);
  expect(() => a.pages).toThrow(/after it was freed/);
  const c = pool.create(16);
  expect([...c.pages].some((page) => b.pages.includes(page))).toBe(false);
});

test('refuses before taking anything, and says whether waiting helps', () => {
  const pool = new KvPool(0, 4, 100, 8);
  const held = pool.create(20);
  for (const [tokens, retryable] of [
    [16, true],
    [33, false],
  ] as const) {
    let caught: unknown;
    try {
      pool.create(tokens);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(OutOfMemoryError);
    expect((caught as OutOfMemoryError).retryable).toBe(retryable);
    expect(pool.freeTokens).toBe(8);
  }
  held.free();
  expect(pool.create(32).capacity).toBe(32);
});

test('a cache knows its room', () => {
  const cache = new KvPool(0, 2, 100, 8).create(16);
  cache.advance(new Int32Array(10));
  expect(() => cache.advance(new Int32Array(7))).toThrow(RangeError);
  expect(cache.length).toBe(10);
  cache.advance(new Int32Array(6));
  expect(cache.length).toBe(16);
});
