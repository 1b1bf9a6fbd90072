/** Which positions each forward runs under full context, and what it reads of an earlier one. */
import { expect, test } from 'vitest';
import { ApproximateCache, type ApproximateCacheSettings } from '../../src/sampler/approximate-cache.ts';
import { sampleBlocks } from '../../src/sampler/block-sampler.ts';
import { createDraw } from '../../src/sampler/draw.ts';
import { Forwards } from '../../src/sampler/forwards.ts';
import { createPolicy } from '../../src/sampler/policies/index.ts';
import { remask } from '../../src/sampler/remasking.ts';
import { blocks, grid } from '../../src/sampler/width.ts';
import { chain, FakeModel } from '../support/engines/fake-model.ts';
import { loneLane } from '../support/engines/lone-lane.ts';

const PROMPT = Int32Array.of(5, 80, 33, 40, 41);
const TOKENS = 12;
const BLOCK = 4;
const oneAStep = createPolicy({ policy: 'left_to_right', steps: 64 }, 0);

async function sample(
  approximateCache: ApproximateCacheSettings | null,
  { logitShift = true, block = BLOCK, policy = oneAStep, remasking = false, seed = 0 } = {},
) {
  const model = new FakeModel({ config: { contextAttention: 'full', logitShift } });
  const cache = model.createCache(PROMPT.length + TOKENS);
  const draw = createDraw({ temperature: seed === 0 ? 0 : 1, topP: 1, topK: 0, seed, logitRules: null });
  const forwards = new Forwards(loneLane(model, cache), draw, new AbortController().signal);
  const settings = {
    maxTokens: TOKENS,
    width: grid(Number.POSITIVE_INFINITY, block, 0),
    policy,
    verify: false,
    remasking: remasking ? remask({ strategy: 'cap', sigma: 0.5, steps: 3 }, 1) : null,
    approximateCache,
  };
  const ids: number[] = [];
  for await (const event of sampleBlocks(forwards, model.config, settings, null, PROMPT)) {
    if (event.type === 'settled') ids.push(...event.ids);
  }
  return { ids, forwards, model, cache, rows: model.forwards.map((forward) => forward.ids.length) };
}

/** The canvas, and the rows of a step within each of three blocks, four steps a block. */
const series = (inside: readonly number[]) => inside.flatMap((rows) => [17, rows, rows, rows]);

test.each([
  [true, 'prefix', series([13, 9, 5])],
  [true, 'dual', series([5, 5, 5])],
  [false, 'prefix', series([12, 8, 4])],
  [false, 'dual', series([4, 4, 4])],
] as const)('with shift %s, %s runs the block after one forward of the whole', async (logitShift, kind, rows) => {
  const exact = await sample(null, { logitShift });
  expect(exact.rows).toEqual(Array.from(rows, () => 17));
  const stale = await sample({ kind, refresh: null }, { logitShift });
  expect(stale.rows).toEqual(rows);
  expect(stale.ids).toEqual(exact.ids);
  // As many forwards, each of fewer positions.
  expect(stale.forwards.nfe).toBe(exact.forwards.nfe);
  expect(stale.forwards.positionForwards).toBe(rows.reduce((sum, count) => sum + count));
  expect(stale.forwards.positionForwards).toBeLessThan(exact.forwards.positionForwards);
});

test('the KV that is kept ends where the block begins, a token before it with a shift', async () => {
  for (const logitShift of [true, false]) {
    const { cache } = await sample({ kind: 'prefix', refresh: null }, { logitShift });
    expect(cache.length).toBe(PROMPT.length + TOKENS - BLOCK - (logitShift ? 1 : 0));
  }
  expect((await sample(null)).cache.length).toBe(0);
});

test('refresh makes every so many forwards exact, within blocks too', async () => {
  const { rows } = await sample({ kind: 'dual', refresh: 2 });
  expect(rows).toEqual([17, 5, 17, 5, 17, 5, 17, 5, 17, 5, 17, 5]);
  const whole = await sample({ kind: 'prefix', refresh: 5 }, { block: 64 });
  expect(whole.rows).toEqual([17, 13, 13, 13, 13, 17, 13, 13, 13, 13, 17, 13]);
  // Nothing is approximated where every forward is the first of a block, or is exact by itself.
  for (const run of [
    await sample({ kind: 'dual', refresh: 1 }),
    await sample({ kind: 'dual', refresh: null }, { block: 1 }),
  ]) {
    expect(run.rows).toEqual(Array.from({ length: TOKENS }, () => 17));
  }
});

test('whatever the policy, the draws and remasking, the fake model’s text is the same', async () => {
  const policies = [
    createPolicy({ policy: 'confidence', threshold: 0 }, 0),
    createPolicy({ policy: 'confidence', threshold: 0.7 }, 0),
    createPolicy({ policy: 'random', steps: 3 }, 5),
  ];
  for (const policy of policies) {
    for (const [block, seed, remasking] of [
      [3, 0, false],
      [5, 7, false],
      [64, 7, true],
      [4, 9, true],
    ] as const) {
      const { ids } = await sample(null, { policy, block, seed, remasking });
      for (const kind of ['prefix', 'dual'] as const) {
        const stale = await sample({ kind, refresh: null }, { policy, block, seed, remasking });
        expect(stale.ids).toEqual(ids);
      }
    }
  }
});

test('a context with an exact cache is refused', async () => {
  const model = new FakeModel();
  const cache = model.createCache(32);
  const draw = createDraw({ temperature: 0, topP: 1, topK: 0, seed: 0, logitRules: null });
  const forwards = new Forwards(loneLane(model, cache), draw, new AbortController().signal);
  const approximateCache = { kind: 'prefix', refresh: null } as const;
  const settings = { maxTokens: 8, width: blocks(4), policy: oneAStep, verify: false, remasking: null };
  const events = sampleBlocks(forwards, model.config, { ...settings, approximateCache }, null);
  await expect(events.next()).rejects.toThrow('causal context');
});

test('a new block drops what was kept for the one before, and keeps up to itself', async () => {
  const model = new FakeModel({ config: { contextAttention: 'full', logitShift: false } });
  const cache = model.createCache(8);
  const draw = createDraw({ temperature: 0, topP: 1, topK: 0, seed: 0, logitRules: null });
  const forwards = new Forwards(loneLane(model, cache), draw, new AbortController().signal);
  const reuse = new ApproximateCache(forwards, { kind: 'prefix', refresh: null });
  const { maskTokenId: mask } = model.config;
  const canvas = Int32Array.of(1, 2, mask, mask, mask, mask, mask, mask);
  const next = [chain([1, 2]), chain([1, 2, chain([1, 2])])];
  expect([...(await reuse.denoise(canvas, Int32Array.of(2, 3), -2, 2, 4)).ids]).toEqual(next);
  canvas.set(next, 2);
  const { ids } = await reuse.denoise(canvas, Int32Array.of(4), -2, 4, 8);
  expect([...ids]).toEqual([chain([1, 2, ...next])]);
  expect(model.forwards.map((forward) => forward.ids.length)).toEqual([8, 8]);
  expect(cache.length).toBe(4);
});
