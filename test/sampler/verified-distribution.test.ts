/** Verified blocks at a temperature draw from the model's own distribution, whatever the drafts are. */
import { expect, it } from 'vitest';
import { PROPORTIONAL } from '../../src/model/cost-curve.ts';
import { oneByOne } from '../../src/model/forward/one-by-one.ts';
import type {
  AdvanceAsk,
  Advanced,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  Predictions,
  Sampling,
  SequenceForward,
} from '../../src/model/model.ts';
import { sampleBlocks } from '../../src/sampler/block-sampler.ts';
import { createDraw } from '../../src/sampler/draw.ts';
import { Forwards } from '../../src/sampler/forwards.ts';
import { createPolicy } from '../../src/sampler/policies/index.ts';
import { sliding } from '../../src/sampler/width.ts';
import { FakeCache, fakeConfig } from '../support/engines/fake-model.ts';
import { loneLane } from '../support/engines/lone-lane.ts';

const SYMBOLS = 4;

/** Next symbol by the last one: what the clean tokens predict. */
const TRUE = [
  [0.1, 0.2, 0.3, 0.4],
  [0.7, 0.1, 0.1, 0.1],
  [0.25, 0.25, 0.25, 0.25],
  [0.05, 0.45, 0.45, 0.05],
];
/** What the masks predict, wherever they are. */
const DRAFTED = [0.6, 0.3, 0.05, 0.05];

/** A Markov chain whose drafts come from another distribution. */
class Chain implements DiffusionModel {
  readonly config = { ...fakeConfig, maskTokenId: SYMBOLS, eosTokenIds: [SYMBOLS + 1] };
  readonly costs = PROPORTIONAL;
  readonly maxForward = 64;
  readonly batchRows = 0;
  readonly runtime = 'scalar';
  readonly maxTokens = 1024;
  readonly freeTokens = 1024;
  readonly memory = { weights: 0, kvPool: 0, scratch: 0, total: 0 };

  createCache(tokens: number): KvCache {
    return new FakeCache(tokens, 0, () => {});
  }

  forward(batch: readonly SequenceForward[]): Promise<readonly Advanced[]> {
    return oneByOne(this, batch);
  }

  async commit(ids: Int32Array, cache: KvCache, { rows, sampling }: CommitAsk): Promise<Predictions> {
    (cache as FakeCache).ids.push(...ids);
    return drawn(
      Array.from(rows === 'all' ? ids : ids.slice(-1), (id) => TRUE[id]!),
      sampling,
    );
  }

  async denoise(_ids: Int32Array, _cache: KvCache, { positions, sampling }: DenoiseAsk): Promise<Predictions> {
    return drawn(
      Array.from(positions, () => DRAFTED),
      sampling,
    );
  }

  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const committed = await this.commit(ids, cache, ask);
    return { committed, block: await this.denoise(block, cache, { ...ask, sampling: ask.blockSampling }) };
  }
}

/** By the inverse of the cumulative distribution. */
function drawn(distributions: readonly (readonly number[])[], sampling: Sampling | undefined): Predictions {
  const ids = distributions.map((probs, row) => {
    let left = sampling?.uniforms[row] ?? 0;
    const id = probs.findIndex((prob) => {
      left -= prob;
      return left < 0;
    });
    return id === -1 ? SYMBOLS - 1 : id;
  });
  return {
    ids: Int32Array.from(ids),
    probs: Float32Array.from(ids, (id, row) => distributions[row]![id]!),
    entropies: new Float32Array(ids.length),
  };
}

async function sample(model: Chain, seed: number, length: number): Promise<{ ids: number[]; held: number }> {
  const cache = model.createCache(64);
  const draw = createDraw({ temperature: 1, topP: 1, topK: 0, seed, logitRules: null });
  const forwards = new Forwards(loneLane(model, cache), draw, new AbortController().signal);
  const first = await forwards.prefill(Int32Array.of(1));
  let held = 0;
  const width = {
    ...sliding(4),
    observe(right: number) {
      held += right;
    },
  };
  const policy = createPolicy({ policy: 'confidence', threshold: 0.2 }, seed);
  const settings = { maxTokens: length, width, policy, verify: true, remasking: null, approximateCache: null };
  const ids: number[] = [];
  for await (const event of sampleBlocks(forwards, model.config, settings, first)) {
    if (event.type === 'settled') ids.push(...event.ids);
  }
  return { ids, held };
}

it('chi-square over three symbols against the exact chain', async () => {
  const model = new Chain();
  const samples = 20_000;
  const counts = new Map<string, number>();
  let held = 0;
  for (let seed = 0; seed < samples; seed++) {
    const got = await sample(model, seed, 3);
    held += got.held;
    const key = got.ids.join('');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  let chiSquare = 0;
  for (let a = 0; a < SYMBOLS; a++) {
    for (let b = 0; b < SYMBOLS; b++) {
      for (let c = 0; c < SYMBOLS; c++) {
        const expected = samples * TRUE[1]![a]! * TRUE[a]![b]! * TRUE[b]![c]!;
        chiSquare += ((counts.get(`${a}${b}${c}`) ?? 0) - expected) ** 2 / expected;
      }
    }
  }
  // 63 degrees of freedom: 103.4 is exceeded once in a thousand.
  expect(chiSquare).toBeLessThan(103.4);
  // Both happen: drafts that hold and drafts that do not.
  expect(held).toBeGreaterThan(samples / 10);
});
