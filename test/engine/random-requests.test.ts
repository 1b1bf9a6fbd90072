/** Requests over all knobs at once: each ends within its bound, with text that holds no mask, and leaves no memory. */
import { describe, expect, it } from 'vitest';
import { policyNames, resolvePolicy } from '../../src/engine/request.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { uniform } from '../../src/sampler/random.ts';
import { EOS, MASK } from '../support/engines/byte-tokenizer.ts';
import { chain, type FakeModelOptions } from '../support/engines/fake-model.ts';
import { collect, request, setUp } from './requests.ts';

const REQUESTS = 1000;
const CANCELLED = 200;

/** Everything that a request can choose, from one seed. */
function draw(seed: number) {
  let stream = 0;
  const below = (limit: number) => Math.floor(uniform(seed, 77, stream++) * limit);
  const one = <T>(...choices: readonly T[]): T => choices[below(choices.length)]!;

  const causal = below(3) > 0;
  const logitShift = below(4) > 0;
  const contextAttention = causal ? ('causal' as const) : one('block_causal' as const, 'full' as const);
  const config: Partial<ModelConfig> & { readonly blockLength: number } = {
    logitShift,
    contextAttention,
    grid: one('zero' as const, 'prompt_end' as const),
    firstToken:
      logitShift && contextAttention === 'block_causal' ? one('denoise' as const, 'from_commit' as const) : 'denoise',
    stopRule: one('no_mask_before' as const, 'after_block' as const, 'none' as const),
    blockLength: one(4, 8, 16),
    vocabSize: 256 + 8,
    infill: {
      prefix: 259,
      suffix: 260,
      middle: 261,
      end: 262,
      order: one('prefix_first' as const, 'suffix_first' as const),
    },
  };
  const ends = below(60);
  const wrong = one(0, 0.3, 0.9);
  const model: FakeModelOptions = {
    config,
    next: (prefix) => (prefix.length > 8 && chain(prefix) % 60 === ends ? one(EOS, 262) : chain(prefix)),
    confidence: (position) => uniform(seed, position, 5),
    draft: (position, id) => (uniform(seed, position, 6) < wrong ? one(EOS, 33 + below(90)) : id),
  };

  const maxTokens = 1 + below(60);
  const verify = causal && logitShift && below(2) === 0;
  // Blocks that attend to each other can only be decided in parts of them.
  const blockLength =
    contextAttention === 'block_causal'
      ? one(null, 1, 2, config.blockLength / 2, config.blockLength)
      : one(null, 1, 2, 3, 7, 8, 16, 33, 64);
  const steps = 1 + below(12);
  const policy = resolvePolicy(policyNames[below(policyNames.length)]!, {
    threshold: below(11) / 10,
    factor: below(30) / 10,
    delta: below(10) / 10,
    gamma: below(20) / 10,
    steps,
    schedule: one('linear', 'cosine', 'round', 'floor'),
    ranking: one('probability', 'entropy'),
  });
  const remasking =
    !verify && below(3) === 0
      ? { strategy: one('cap' as const, 'confidence' as const), sigma: below(11) / 10, steps }
      : null;
  const approximateCache =
    contextAttention === 'full' && below(3) > 0
      ? { kind: one('prefix' as const, 'dual' as const), refresh: one(null, 1, 2, 7) }
      : null;
  const asked = request({
    context: one('', '', 'let z;\n'),
    prompt: one('', 'x', 'let x = ', 'a'.repeat(below(150))),
    suffix: one(null, null, '', ';\n}'),
    maxTokens,
    temperature: one(0, 0, 0.7, 2),
    topP: one(1, 0.5),
    topK: one(0, 3),
    seed,
    stop: one([], [], ['AB'], ['Q', 'zz']),
    logitRules: one(null, null, { frequencyPenalty: 1, presencePenalty: -1, logitBias: new Map([[65, 2]]) }),
    decoding: { ...policy, blockLength, verify, remasking, approximateCache },
  });
  const block = blockLength ?? (verify ? 1 : config.blockLength);
  const blocks = Math.ceil(maxTokens / block) + 2;
  // A forward decides a token at least; a wrong draft costs one more, remasking its steps, a block that is too long to be
  // committed and denoised at once one.
  const bound = maxTokens + blocks + (verify ? maxTokens : 0) + (remasking ? blocks * (steps + block) : 0);
  return { model, asked, bound, maxTokens };
}

describe('random requests', () => {
  it(`${REQUESTS} end within their bound, without a mask, and leave no memory`, async () => {
    for (let seed = 0; seed < REQUESTS; seed++) {
      const { model: options, asked, bound, maxTokens } = draw(seed);
      const { model, engine } = setUp(options);
      const { all, done } = await collect(engine.generate(asked));
      expect(done.usage.completionTokens, `seed ${seed}`).toBeLessThanOrEqual(maxTokens);
      expect(done.cost.nfe, `seed ${seed}`).toBeLessThanOrEqual(bound);
      for (const event of all) if (event.type === 'step') expect(event.ids.includes(MASK)).toBe(false);
      expect(model.openCaches, `seed ${seed}`).toEqual([]);
      expect(engine.queue.running).toBe(0);
    }
  });

  it(`${CANCELLED} cancelled at every forward leave no memory`, async () => {
    for (let seed = 0; seed < CANCELLED; seed++) {
      const { model: options, asked } = draw(seed);
      const { model: whole, engine: first } = setUp(options);
      await collect(first.generate(asked));
      const at = Math.floor(uniform(seed, 1) * whole.forwards.length);
      const controller = new AbortController();
      const { model, engine } = setUp({
        ...options,
        onForward: (index) => {
          if (index === at) controller.abort(new Error('gone'));
        },
      });
      await collect(engine.generate(asked, controller.signal)).catch((error: Error) => {
        expect(error.message).toBe('gone');
      });
      expect(model.openCaches, `seed ${seed}`).toEqual([]);
      expect(engine.queue.running).toBe(0);
    }
  });
});
