import { describe, expect, test } from 'vitest';
import type { PagedKvCache } from '../../src/model/kv/paged-cache.ts';
import { KvPool } from '../../src/model/kv/pool.ts';
import { uniform } from '../../src/sampler/random.ts';

const T = 4; // tokens a page
const PAGES = 12;

/**
 * Random requests on a tiny pool, with a memory beside it that knows which ids each page was written for: whatever a
 * request reuses must have been written for its own beginning, and nothing may write what another reads.
 */
describe.each(['causal', 'block_causal'] as const)('random requests, %s', (context) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: all reuse is exact, no page is lost', (seed) => {
    let draws = 0;
    const random = (below: number) => Math.floor(uniform(seed, draws++) * below);
    const shared = new KvPool(0, PAGES, 1, T, context, true);
    const written = new Map<number, string>(); // page -> its KV: all ids up to each slot, as each saw them
    interface Running {
      readonly cache: PagedKvCache;
      readonly ids: number[];
      readonly key: string;
      readonly target: number;
    }
    const running: Running[] = [];
    let reusedTokens = 0;
    let refused = 0;

    /** What the KV of this page would be, had `key` prefilled these ids. */
    const exactly = (key: string, sequence: readonly number[], page: number) =>
      JSON.stringify([key, sequence.slice(0, (page + 1) * T)]);

    function start(): void {
      // Prompts of few letters, so that beginnings meet.
      const prompt = Array.from({ length: 1 + random(20) }, (_, i) => (i < 6 ? random(2) : random(3)));
      const key = random(4) === 0 ? 'other' : '';
      const target = prompt.length + 1 + random(12);
      if (Math.ceil(target / T) > PAGES) return;
      try {
        const cache = shared.create(target, { ids: Int32Array.from(prompt), key });
        expect(cache.length % T).toBe(0);
        expect(cache.length).toBeLessThan(prompt.length);
        for (let page = 0; page < cache.length / T; page++) {
          expect(written.get(cache.pages[page]!)).toBe(exactly(key, prompt, page));
        }
        reusedTokens += cache.length;
        running.push({ cache, ids: prompt.slice(0, cache.length), key, target });
        commit(running.at(-1)!, prompt.slice(cache.length));
      } catch (error) {
        expect(String(error)).toMatch(/do not fit now/);
        refused++;
      }
    }

    function commit({ cache, ids: so, key }: Running, more: readonly number[]): void {
      const from = so.length;
      so.push(...more);
      for (let page = Math.floor(from / T); page * T < so.length; page++) {
        // A page that another request holds as its beginning is not to be written.
        const address = cache.pages[page]!;
        for (const other of running) {
          const at = other.cache === cache ? -1 : other.cache.pages.indexOf(address);
          if (at >= 0) throw new Error(`page ${address} is written by one request while another has it at ${at}`);
        }
        const whole = page * T >= from || context === 'causal';
        const before = page === 0 ? 'start' : written.get(cache.pages[page - 1]!);
        const clean = before === 'start' || before === exactly(key, so, page - 1);
        written.set(address, whole && clean ? exactly(key, so, page) : 'of mixed sight');
      }
      cache.advance(Int32Array.from(more));
    }

    for (let step = 0; step < 3000; step++) {
      const some = running[random(Math.max(running.length, 1))];
      const action = random(10);
      if (!some || action < 3) start();
      else if (action < 6 && some.ids.length < some.target) {
        const room = some.target - some.ids.length;
        commit(
          some,
          Array.from({ length: 1 + random(Math.min(room, 6)) }, () => random(3)),
        );
      } else if (action === 6) some.cache.share();
      else if (action === 7) {
        const length = some.ids.length - random(4);
        try {
          some.cache.truncate(length);
          some.ids.length = length;
        } catch (error) {
          expect(String(error)).toMatch(/shared|among/);
        }
      } else {
        some.cache.free();
        running.splice(running.indexOf(some), 1);
      }
      const held = new Set(running.flatMap(({ cache }) => [...cache.pages]));
      expect(shared.freeTokens / T).toBeLessThanOrEqual(PAGES - held.size);
    }
    for (const { cache } of running) cache.free();
    expect(shared.freeTokens).toBe(PAGES * T);
    expect(reusedTokens).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(50);
    // Every page is somewhere, once.
    const all = shared.create(PAGES * T);
    expect(new Set(all.pages).size).toBe(PAGES);
    expect(shared.prefixes?.pages).toBe(0);
  });
});
