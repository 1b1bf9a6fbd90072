/** `decoding.approximate_cache` through the engine, on the families with full context: what it saves, and where it is exact. */
import { describe, expect, test } from 'vitest';
import { completionRequestSchema } from '../../src/api/completions/schema.ts';
import { resolveRequest } from '../../src/api/generate/resolve.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { GenerateRequest } from '../../src/engine/request.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { readSettings } from '../../src/hosts/settings.ts';
import { convertFamily } from '../support/engines/families.ts';
import { wasmModel } from '../support/engines/models.ts';
import { collect, LIMITS } from './requests.ts';

const PROMPT = Array.from({ length: 21 }, (_, i) => (i * 37 + 11) % 250);
const TOKENS = 24;
const BLOCK = 6;
const BLOCKS = TOKENS / BLOCK;
const ONE_A_STEP = { policy: 'fixed', schedule: 'round', steps: BLOCK, block_length: BLOCK };

async function engineOf(family: 'dream' | 'tiny-a2d-mdlm' | 'open-dcoder'): Promise<Engine> {
  const source = await convertFamily(family);
  const never = { ...source, json: async (file: string) => withoutEos(file, await source.json(file)) };
  const model = await wasmModel(never, 'relaxed-simd', 64);
  return new Engine(model, loadTokenizer(await source.json('tokenizer.json'), model.config.maskTokenId), LIMITS);
}

/** An id above the tokenizer's, so that no text ends early. */
const withoutEos = (file: string, json: unknown) =>
  file === 'config.json' ? { ...(json as object), eosTokenIds: [271] } : json;

function asked(engine: Engine, decoding: object): GenerateRequest {
  const body = completionRequestSchema.parse({ prompt: PROMPT, max_tokens: TOKENS, temperature: 0, decoding });
  return resolveRequest(body, engine.model, readSettings({}));
}

async function decode(engine: Engine, decoding: object) {
  const { all, done } = await collect(engine.generate(asked(engine, decoding)));
  const steps = all.flatMap((event) =>
    event.type === 'step' ? [{ positions: [...event.positions], ids: [...event.ids], probs: [...event.probs] }] : [],
  );
  return { steps, cost: done.cost };
}

describe.each(['dream', 'tiny-a2d-mdlm', 'open-dcoder'] as const)('%s', async (family) => {
  const engine = await engineOf(family);
  const canvas = PROMPT.length + TOKENS;
  const shift = engine.model.config.logitShift ? 1 : 0;

  test('is off by default: every forward runs the whole canvas', async () => {
    const { cost } = await decode(engine, { ...ONE_A_STEP });
    expect(cost.nfe).toBe(TOKENS);
    expect(cost.positionForwards).toBe(TOKENS * canvas);
    expect(asked(engine, {}).decoding.approximateCache).toBeNull();
  });

  test('runs as many forwards, of fewer positions', async () => {
    const inside = (BLOCK - 1) * BLOCKS;
    const dual = await decode(engine, { ...ONE_A_STEP, approximate_cache: { kind: 'dual' } });
    expect(dual.cost.nfe).toBe(TOKENS);
    expect(dual.cost.positionForwards).toBe(BLOCKS * canvas + inside * (BLOCK + shift));
    const prefix = await decode(engine, { ...ONE_A_STEP, approximate_cache: {} });
    const behind = Array.from({ length: BLOCKS }, (_, i) => TOKENS - i * BLOCK + shift);
    const rows = behind.reduce((sum, count) => sum + (BLOCK - 1) * count, 0);
    expect(prefix.cost.nfe).toBe(TOKENS);
    expect(prefix.cost.positionForwards).toBe(BLOCKS * canvas + rows);
  });

  test('is exact where every forward is the first of its block, or a refresh', async () => {
    for (const kind of ['prefix', 'dual']) {
      const exact = await decode(engine, { ...ONE_A_STEP });
      expect(await decode(engine, { ...ONE_A_STEP, approximate_cache: { kind, refresh: 1 } })).toMatchObject({
        steps: exact.steps,
        cost: { positionForwards: exact.cost.positionForwards },
      });
      const single = await decode(engine, { block_length: 1 });
      expect((await decode(engine, { block_length: 1, approximate_cache: { kind } })).steps).toEqual(single.steps);
      // A block that one forward decides.
      const bold = { policy: 'confidence', threshold: 0, block_length: BLOCK };
      const whole = await decode(engine, bold);
      expect(whole.cost.nfe).toBe(BLOCKS);
      expect((await decode(engine, { ...bold, approximate_cache: { kind } })).steps).toEqual(whole.steps);
    }
  });

  test('decides the first of each block as an exact forward of the same canvas does', async () => {
    const { model } = engine;
    for (const kind of ['prefix', 'dual']) {
      const { steps } = await decode(engine, { ...ONE_A_STEP, steps: 2, approximate_cache: { kind } });
      expect(steps.length).toBe(2 * BLOCKS);
      const text = new Int32Array(canvas).fill(model.config.maskTokenId);
      text.set(PROMPT);
      for (const [i, { positions, ids, probs }] of steps.entries()) {
        const at = Int32Array.from(positions, (offset) => PROMPT.length + offset);
        const cache = model.createCache(canvas);
        const exact = await model.denoise(text, cache, { positions: at });
        cache.free();
        if (i % 2 === 0) expect({ ids: [...exact.ids], probs: [...exact.probs] }).toEqual({ ids, probs });
        else expect([...exact.probs]).not.toEqual(probs);
        for (const [j, position] of at.entries()) text[position] = ids[j]!;
      }
    }
  });

  test('cancelled at any forward, it gives its memory back, and the next request is as if it had been the first', async () => {
    const decoding = { ...ONE_A_STEP, approximate_cache: { kind: 'prefix' } };
    const { steps } = await decode(engine, decoding);
    for (let at = 0; at < TOKENS; at += 5) {
      const controller = new AbortController();
      let seen = 0;
      const cancelled = async () => {
        for await (const event of engine.generate(asked(engine, decoding), controller.signal)) {
          if (event.type === 'step' && seen++ === at) controller.abort(new Error('gone'));
        }
      };
      await expect(cancelled()).rejects.toThrow('gone');
      expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
      expect(engine.queue.running).toBe(0);
      expect((await decode(engine, decoding)).steps).toEqual(steps);
    }
  });
});

test('two requests that take turns keep their approximations apart', async () => {
  const source = await convertFamily('dream');
  const model = await wasmModel(source, 'relaxed-simd', 128);
  const engine = new Engine(
    model,
    loadTokenizer(await source.json('tokenizer.json'), model.config.maskTokenId),
    LIMITS,
  );
  const ways = [
    { block_length: 4, approximate_cache: { kind: 'dual' } },
    { block_length: 6, approximate_cache: {} },
  ];
  const alone = [];
  for (const way of ways) alone.push((await decode(engine, way)).steps);
  const together = await Promise.all(ways.map((way) => decode(engine, way)));
  expect(together.map(({ steps }) => steps)).toEqual(alone);
});
