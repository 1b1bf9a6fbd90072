/** A sequence's predictions and KV are the same bits in a batch as alone, whatever its neighbours ask. */
import { describe, expect, test } from 'vitest';
import { type Cut, cut } from '../../src/model/forward/pieces.ts';
import { joinRows } from '../../src/model/forward/predictions.ts';
import type {
  Adjustment,
  Advanced,
  DiffusionModel,
  KvCache,
  Sampling,
  SequenceForward,
} from '../../src/model/model.ts';
import { uniform } from '../../src/sampler/random.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, convertWithDrafts, type Dtype, scalarModel, wasmModel } from '../support/engines/models.ts';
import { readKv } from '../support/engines/runtimes.ts';

const TOKENS = 512;
const ROUNDS = 6;

type Random = () => number;

/** What one sequence asks of one forward, without its cache. */
type Asked = Omit<SequenceForward, 'cache'>;

function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

function ids(random: Random, count: number): Int32Array {
  return Int32Array.from({ length: count }, () => below(random, 200));
}

function adjustment(random: Random): Adjustment {
  const moved = Int32Array.from(new Set(ids(random, 1 + below(random, 4))));
  const deltas = Float32Array.from(moved, () => random() * 4 - 2);
  return random() < 0.5
    ? { ids: moved, deltas }
    : { ids: moved, deltas, factors: Float32Array.from(moved, () => 1 + random()) };
}

function sampling(random: Random, rows: number): Sampling | undefined {
  if (random() < 0.3) return undefined;
  const adjustments = random() < 0.5 ? Array.from({ length: rows }, () => adjustment(random)) : undefined;
  return {
    temperature: random() < 0.3 ? 0 : random() * 1.5,
    topP: random() < 0.5 ? 1 : 0.5 + random() / 2,
    topK: random() < 0.5 ? 0 : 1 + below(random, 20),
    minP: random() < 0.5 ? 0 : random() / 5,
    uniforms: Float32Array.from({ length: rows }, random),
    adjustments,
  };
}

/** A commit, a denoise or an advance of at most `most` positions. */
function ask(model: DiffusionModel, random: Random, most: number): Asked {
  const kind = below(random, 3);
  const clean = kind === 1 ? 0 : 1 + below(random, Math.max(Math.floor(most / 2), 1));
  const width = kind === 0 ? 0 : 1 + below(random, Math.min(8, Math.max(most - clean, 1)));
  const block = new Int32Array(width).fill(model.config.maskTokenId);
  if (clean === 0) block[0] = below(random, 200);
  const shift = model.config.logitShift ? 1 : 0;
  const positions = Int32Array.from({ length: width }, (_, i) => i + shift).filter(() => random() < 0.7);
  const rows = (['none', 'last', 'all'] as const)[below(random, 3)]!;
  const asked = clean === 0 ? 0 : { none: 0, last: 1, all: clean }[rows];
  return {
    clean: ids(random, clean),
    block,
    ask: {
      rows,
      positions,
      sampling: sampling(random, asked),
      blockSampling: sampling(random, positions.length),
      targets: random() < 0.5 ? ids(random, asked) : undefined,
      blockTargets: random() < 0.5 ? ids(random, positions.length) : undefined,
      alternatives: below(random, 4),
    },
  };
}

async function forward(model: DiffusionModel, batch: readonly SequenceForward[]): Promise<readonly Advanced[]> {
  return model.forward(batch);
}

async function startAll(model: DiffusionModel, prompts: readonly Int32Array[]): Promise<KvCache[]> {
  const caches = prompts.map(() => model.createCache(80));
  for (const [i, prompt] of prompts.entries()) await model.commit(prompt, caches[i]!, { rows: 'none' });
  return caches;
}

async function compare(load: () => Promise<DiffusionModel>, seed: number, most: number): Promise<void> {
  let drawn = 0;
  const random = () => uniform(seed, drawn++);
  const count = 2 + below(random, 5);
  const prompts = Array.from({ length: count }, () => ids(random, 1 + below(random, 20)));
  const [together, alone] = [await load(), await load()];
  const caches = await startAll(together, prompts);
  const lone = await startAll(alone, prompts);
  for (let round = 0; round < ROUNDS; round++) {
    const asked = prompts.map(() => ask(together, random, Math.floor(most / count)));
    const answers = await forward(
      together,
      asked.map((one, i) => ({ ...one, cache: caches[i]! })),
    );
    for (const [i, one] of asked.entries()) {
      const [answer] = await forward(alone, [{ ...one, cache: lone[i]! }]);
      expect(answers[i], `round ${round}, sequence ${i}`).toEqual(answer);
      expect(caches[i]!.length).toBe(lone[i]!.length);
    }
  }
  for (const [i, cache] of caches.entries())
    expect(await readKv(together, cache)).toEqual(await readKv(alone, lone[i]!));
}

const CASES = (['int4', 'int8', 'f32'] as Dtype[]).flatMap((dtype) =>
  flavours.map((flavour) => [dtype, flavour] as const),
);

describe('a batch of commits, denoises and advances', () => {
  test.each(CASES)('%s weights, %s', async (dtype, flavour) => {
    const source = await convertFixture('tiny-llama', dtype);
    for (let seed = 1; seed <= 4; seed++) await compare(() => wasmModel(source, flavour, TOKENS), seed, 64);
  });

  test('16-bit activations, block-causal context, adapters on mask rows', async () => {
    const words = await convertFixture('tiny-qwen2', 'int4');
    await compare(() => wasmModel(words, 'relaxed-simd', TOKENS, 'int16'), 21, 64);
    const blocks = await convertFixture('tiny-llama', 'int4', { contextAttention: 'block_causal' });
    await compare(() => wasmModel(blocks, 'relaxed-simd', TOKENS), 22, 64);
    const drafts = await convertWithDrafts('tiny-llama', 'int4');
    for (let seed = 31; seed < 33; seed++) await compare(() => wasmModel(drafts, 'relaxed-simd', TOKENS), seed, 64);
  });

  test('the scalar oracle', async () => {
    const source = await convertFixture('tiny-llama', 'f32');
    await compare(() => scalarModel(source), 41, 32);
  });
});

test('a batch that is too wide, has a cache twice or asks what one sequence cannot have leaves all caches alone', async () => {
  const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'relaxed-simd', TOKENS);
  const [a, b] = await startAll(model, [Int32Array.of(1), Int32Array.of(2)]);
  const commit = (cache: KvCache, count: number): SequenceForward => ({
    cache,
    clean: new Int32Array(count),
    block: new Int32Array(),
    ask: { rows: 'last', positions: new Int32Array() },
  });
  expect(() => model.forward([commit(a!, 33), commit(b!, 32)])).toThrow('a batch of 65 exceeds 64 positions');
  expect(() => model.forward([commit(a!, 1), commit(a!, 1)])).toThrow('a cache twice');
  expect(() => model.forward([commit(a!, 1), commit(b!, TOKENS)])).toThrow(RangeError);
  expect([a!.length, b!.length]).toEqual([1, 1]);
});

test('a forward that is cut anywhere has the answers of the whole', async () => {
  const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'relaxed-simd', TOKENS);
  let drawn = 0;
  const random = () => uniform(51, drawn++);
  for (const rows of ['last', 'all'] as const) {
    const asked = rows === 'all' ? 9 : 1;
    const work = {
      clean: ids(random, 9),
      block: new Int32Array(3).fill(model.config.maskTokenId),
      ask: {
        rows,
        positions: Int32Array.of(1, 2, 3),
        sampling: { temperature: 1, topP: 0.9, topK: 0, uniforms: Float32Array.from({ length: asked }, random) },
        targets: ids(random, asked),
        blockSampling: { temperature: 1, topP: 1, topK: 0, uniforms: Float32Array.of(0.2, 0.5, 0.8) },
        alternatives: 2,
      },
    };
    const whole = model.createCache(80);
    const [expected] = await forward(model, [{ ...work, cache: whole }]);
    for (let most = 3; most <= 12; most++) {
      const cache = model.createCache(80);
      const answers: Advanced[] = [];
      for (let rest: SequenceForward | null = { ...work, cache }; rest; ) {
        const next: Cut = cut(model.config, rest, cache.length, most)!;
        answers.push(...(await forward(model, [next.piece])));
        rest = next.rest;
      }
      expect(joinRows(answers.map(({ committed }) => committed)), `at most ${most}`).toEqual(expected!.committed);
      expect(answers.at(-1)!.block).toEqual(expected!.block);
      cache.free();
    }
  }
});
