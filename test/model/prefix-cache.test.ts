/** Which pages outlive a request, who may read them, and that none is lost. */
import { describe, expect, test } from 'vitest';
import { KvPool } from '../../src/model/kv/pool.ts';
import { PrefixCache } from '../../src/model/kv/prefix-cache.ts';

const T = 4; // tokens a page

function pool(pages: number, context: 'causal' | 'block_causal' | null = 'causal') {
  const made = new KvPool(0, pages, 1, T, context ?? 'causal', context !== null);
  /** A request that commits the ids which were not there. */
  const begin = (ids: readonly number[], key = '', tokens = ids.length) => {
    const prompt = Int32Array.from(ids);
    const cache = made.create(tokens, { ids: prompt, key });
    const reused = cache.length;
    cache.advance(prompt.subarray(reused));
    return { cache, reused };
  };
  const run = (ids: readonly number[], key = '') => {
    const { cache, reused } = begin(ids, key);
    cache.free();
    return reused;
  };
  return { pool: made, begin, run };
}

/** `count` ids from `first` on. */
const ids = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i);

describe('what a request begins with', () => {
  test.each([
    [1, 0],
    [T - 1, 0],
    [T, 0],
    [T + 1, T],
    [2 * T, T],
    [2 * T + 1, 2 * T],
    [3 * T, 2 * T],
  ])('%i tokens again: %i are there, and one at least is left to run', (length, reused) => {
    const { run } = pool(8);
    expect(run(ids(length))).toBe(0);
    expect(run(ids(length))).toBe(reused);
  });

  test('the longest common beginning, in whole pages', () => {
    const { run } = pool(16);
    run(ids(10));
    run([...ids(5), ...ids(5, 50)]);
    expect(run(ids(20))).toBe(8);
    expect(run([...ids(6), 99, 98, 97])).toBe(4);
    expect(run([...ids(5), ...ids(5, 50)])).toBe(8);
    expect(run(ids(10, 1))).toBe(0);
  });

  test('nothing of another key, of a request without one, or of a pool that keeps nothing', () => {
    const { pool: shared, run } = pool(16);
    run(ids(9), 'a');
    expect([run(ids(9), 'b'), run(ids(9), ''), run(ids(9), 'a')]).toEqual([0, 0, 8]);
    expect(shared.create(9).length).toBe(0);
    const keyless = pool(4);
    const cache = keyless.pool.create(9);
    cache.advance(Int32Array.from(ids(9)));
    cache.free();
    expect(keyless.run(ids(9))).toBe(0);
    const off = pool(16, null);
    expect([off.run(ids(9)), off.run(ids(9))]).toEqual([0, 0]);
  });

  test('a page that a request still writes behind is shared once that says so', () => {
    const { begin, run } = pool(16);
    const { cache } = begin(ids(6), '', 12);
    expect(run(ids(6))).toBe(0);
    const other = begin(ids(6, 20), '', 12);
    other.cache.share();
    expect(run(ids(9, 20))).toBe(4);
    cache.advance(Int32Array.of(6, 7, 8));
    cache.free();
    expect(run(ids(9))).toBe(8);
  });
});

describe('drafts that did not hold', () => {
  test('are not kept, and what replaced them is', () => {
    const { begin, run } = pool(16);
    const { cache } = begin(ids(6), '', 12);
    cache.advance(Int32Array.of(70, 71, 72));
    cache.truncate(6);
    cache.advance(Int32Array.of(6, 7, 8));
    cache.free();
    expect(run([...ids(6), 70, 71, 72])).toBe(4);
    expect(run(ids(9))).toBe(8);
  });

  test('cannot be truncated into a shared page', () => {
    const { begin } = pool(16);
    const { cache } = begin(ids(9), '', 16);
    cache.truncate(5);
    cache.advance(Int32Array.of(5, 6, 7, 8));
    cache.share();
    cache.truncate(8);
    expect(() => cache.truncate(7)).toThrow('the first 8 are shared');
    cache.free();
    const again = begin(ids(9), '', 16);
    expect(again.reused).toBe(8);
    expect(() => again.cache.truncate(7)).toThrow(RangeError);
    expect(again.cache.length).toBe(9);
  });
});

describe('under block-causal context', () => {
  test('only pages that one commit wrote whole are kept, and none behind another', () => {
    const { begin, run } = pool(16, 'block_causal');
    const { cache } = begin(ids(6), '', 16);
    cache.advance(Int32Array.from(ids(6, 6)));
    cache.free();
    // Token 4 and 5 never saw 6 and 7, so their page is not what a prefill would write.
    expect(run(ids(12))).toBe(4);
    // This ran token 4 to 11 at once.
    expect(run(ids(12))).toBe(8);
  });

  test('a truncate inside a page leaves it inexact', () => {
    const { begin, run } = pool(16, 'block_causal');
    const { cache } = begin(ids(8), '', 16);
    cache.truncate(6);
    cache.advance(Int32Array.of(6, 7));
    cache.free();
    expect(run(ids(9))).toBe(4);
  });
});

describe('room', () => {
  test('kept pages count as free and make way, least recently used leaves first', () => {
    const { pool: shared, run, begin } = pool(6);
    run(ids(9)); // pages A0 A1, one more is not full
    run(ids(9, 50)); // B0 B1
    run(ids(5)); // A0 again: now A1 is the oldest, then B
    expect([shared.prefixes?.pages, shared.freeTokens]).toEqual([4, 6 * T]);
    shared.create(3 * T).free(); // two were free: takes one
    expect(shared.prefixes?.pages).toBe(3);
    expect(begin(ids(9)).reused).toBe(4);
  });

  test('a long beginning loses its end first', () => {
    const { pool: shared, run } = pool(4);
    run(ids(13));
    shared.create(2 * T).free();
    expect(run(ids(13))).toBe(2 * T);
  });

  test('pages in use are never taken, and a refusal takes nothing', () => {
    const { pool: shared, begin, run } = pool(4);
    run(ids(9));
    const { cache, reused } = begin(ids(9));
    expect([reused, shared.freeTokens]).toEqual([8, T]);
    expect(() => shared.create(2 * T)).toThrow(/do not fit now; 4 of 16 are free/);
    expect(() => shared.create(4 * T + 1, { ids: Int32Array.from(ids(17)), key: '' })).toThrow(/at most 16/);
    expect([shared.freeTokens, shared.prefixes?.pages]).toEqual([T, 2]);
    // Sharing is what makes this one fit.
    const twin = begin([...ids(8), 90, 91, 92]);
    expect([twin.reused, shared.freeTokens]).toEqual([8, 0]);
    cache.free();
    twin.cache.free();
    expect(shared.freeTokens).toBe(4 * T);
  });

  test('two that write the same pages at once leave one copy', () => {
    const { pool: shared, begin } = pool(8);
    const [one, two] = [begin(ids(9)), begin(ids(9))];
    one.cache.free();
    two.cache.free();
    expect([shared.prefixes?.pages, shared.freeTokens]).toEqual([2, 8 * T]);
    expect(begin(ids(9)).reused).toBe(8);
  });
});

test('equal hashes never serve another text', () => {
  const cache = new PrefixCache(2, () => 7);
  const first = cache.add('', null, Int32Array.of(1, 2), 100);
  expect(first?.page).toBe(100);
  expect(cache.add('', null, Int32Array.of(1, 3), 200)).toBeNull();
  expect(cache.add('', first, Int32Array.of(1, 2), 200)).toBeNull();
  expect(cache.add('other', null, Int32Array.of(1, 2), 200)).toBeNull();
  expect(cache.hold('', Int32Array.of(1, 3), 9)).toEqual([]);
  expect(cache.hold('other', Int32Array.of(1, 2), 9)).toEqual([]);
  expect(cache.hold('', Int32Array.of(1, 2, 1, 2), 9)).toEqual([first]);
});
