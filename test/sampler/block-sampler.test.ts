import { describe, expect, it } from 'vitest';
import { type ModelConfig, uncommittedPrompt } from '../../src/model/config.ts';
import type { Predictions } from '../../src/model/model.ts';
import type { ApproximateCacheSettings } from '../../src/sampler/approximate-cache.ts';
import { sampleBlocks } from '../../src/sampler/block-sampler.ts';
import { createDraw } from '../../src/sampler/draw.ts';
import { Forwards } from '../../src/sampler/forwards.ts';
import type { LogitRules } from '../../src/sampler/logit-rules.ts';
import { createPolicy, type Policy } from '../../src/sampler/policies/index.ts';
import { uniform } from '../../src/sampler/random.ts';
import { type Remasking, remask } from '../../src/sampler/remasking.ts';
import { blocks, grid, sliding, type Width } from '../../src/sampler/width.ts';
import { EOS, MASK } from '../support/engines/byte-tokenizer.ts';
import { chain, FakeModel, type FakeModelOptions } from '../support/engines/fake-model.ts';
import { loneLane } from '../support/engines/lone-lane.ts';

const PROMPT = [5, 80, 33];
const sureAt = (threshold: number) => createPolicy({ policy: 'confidence', threshold }, 0);
const leftmost = createPolicy({ policy: 'left_to_right', steps: 64 }, 0);
const inSteps = (steps: number) => createPolicy({ policy: 'fixed', steps, schedule: 'linear' }, 0);

interface Run {
  readonly model?: FakeModelOptions;
  readonly prompt?: number[];
  readonly maxTokens: number;
  readonly blockLength: number;
  readonly width?: Width;
  readonly policy?: Policy;
  readonly verify?: boolean;
  readonly remasking?: Remasking;
  readonly approximateCache?: ApproximateCacheSettings;
  readonly seed?: number;
  readonly logitRules?: LogitRules;
  readonly signal?: AbortSignal;
}

async function sample(run: Run) {
  const model = new FakeModel(run.model);
  const prompt = run.prompt ?? PROMPT;
  const cache = model.createCache(prompt.length + run.maxTokens);
  const { seed, logitRules = null } = run;
  const draw = createDraw({ temperature: seed === undefined ? 0 : 1, topP: 1, topK: 0, seed: seed ?? 0, logitRules });
  const forwards = new Forwards(loneLane(model, cache), draw, run.signal ?? new AbortController().signal);
  const clean = prompt.length - uncommittedPrompt(model.config, prompt.length);
  const first = clean === 0 ? null : await forwards.prefill(Int32Array.from(prompt.slice(0, clean)));
  const prefills = model.forwards.length;
  const ids: number[] = [];
  const steps: { block: number; positions: number[]; ids: number[]; revised: number[]; remasked: number[] }[] = [];
  let end: 'eos' | 'length' | null = null;
  const settings = {
    maxTokens: run.maxTokens,
    width: run.width ?? (run.verify ? sliding(run.blockLength) : blocks(run.blockLength)),
    policy: run.policy ?? sureAt(0.9),
    verify: run.verify ?? false,
    remasking: run.remasking ?? null,
    approximateCache: run.approximateCache ?? null,
  };
  const lead = Int32Array.from(prompt.slice(clean));
  for await (const event of sampleBlocks(forwards, model.config, settings, first, lead)) {
    if (event.type === 'step') {
      const { block, positions, ids, revised, remasked } = event;
      steps.push({ block, positions: [...positions], ids: [...ids], revised: [...revised], remasked: [...remasked] });
    } else {
      expect(end).toBeNull();
      ids.push(...event.ids);
      end = event.end;
    }
  }
  return { model, prefills, forwards, ids, steps, end, decodes: model.forwards.slice(prefills), cache };
}

/** What one-at-a-time greedy decoding gives. */
function autoregressive(length: number, next = chain): number[] {
  const ids = [...PROMPT];
  while (ids.length < PROMPT.length + length) ids.push(next(ids));
  return ids.slice(PROMPT.length);
}

const semantics: Partial<ModelConfig>[] = [
  { logitShift: true, contextAttention: 'causal' },
  { logitShift: false, contextAttention: 'causal' },
  { logitShift: true, contextAttention: 'block_causal', grid: 'prompt_end' },
  { logitShift: false, contextAttention: 'block_causal', grid: 'prompt_end' },
];

describe.each(semantics)('block loop, logitShift $logitShift, $contextAttention', (config) => {
  it.each([1, 4, 8, 16])('block length %i gives the autoregressive ids and exactly maxTokens', async (blockLength) => {
    for (const maxTokens of [1, 2, 7, 8, 9, 33]) {
      for (const policy of [sureAt(0), sureAt(0.7), sureAt(1), inSteps(1), inSteps(3)]) {
        const { ids, end } = await sample({ model: { config }, maxTokens, blockLength, policy });
        expect(ids).toEqual(autoregressive(maxTokens));
        expect(end).toBe('length');
      }
    }
  });

  it('reports each offset in exactly one step', async () => {
    const { steps, ids } = await sample({ model: { config }, maxTokens: 21, blockLength: 8, policy: sureAt(0.7) });
    const byOffset = new Map(
      steps.flatMap((step) => step.positions.map((position, i) => [position, step.ids[i]!] as const)),
    );
    expect(steps.flatMap((step) => step.positions).length).toBe(21);
    expect(Array.from(ids.keys(), (offset) => byOffset.get(offset))).toEqual(ids);
    expect(steps.every((step) => step.positions.every((position) => Math.floor(position / 8) === step.block))).toBe(
      true,
    );
  });

  it('does not commit what nothing will read', async () => {
    const { cache } = await sample({ model: { config }, maxTokens: 12, blockLength: 8 });
    if (config.contextAttention === 'causal') expect(cache.length).toBeLessThan(PROMPT.length + 12);
    else expect(cache.length).toBe(PROMPT.length + 8);
  });

  it('cuts at an EOS inside a block and stops there', async () => {
    const next = (prefix: readonly number[]) => (prefix.length === PROMPT.length + 10 ? EOS : chain(prefix));
    for (const blockLength of [1, 4, 8, 16]) {
      const { ids, end, cache } = await sample({ model: { config, next }, maxTokens: 40, blockLength });
      expect(ids).toEqual(autoregressive(10));
      expect(end).toBe('eos');
      expect(cache.length).toBeLessThanOrEqual(PROMPT.length + 10);
    }
  });

  it('gives the same ids for the same seed, and others for another', async () => {
    const run = { model: { config }, maxTokens: 30, blockLength: 8, policy: sureAt(0.7) };
    const { ids } = await sample({ ...run, seed: 11 });
    expect((await sample({ ...run, seed: 11 })).ids).toEqual(ids);
    expect((await sample({ ...run, seed: 12 })).ids).not.toEqual(ids);
    expect((await sample(run)).ids).not.toEqual(ids);
  });
});

describe('draws', () => {
  it('belong to the offset, not to the block or the step that uses them', async () => {
    // A model that looks only at the position: what differs between two texts is the draws.
    const next = (prefix: readonly number[]) => 40 + prefix.length;
    const draw = (blockLength: number, policy: Policy) =>
      sample({ model: { next }, maxTokens: 24, blockLength, policy, seed: 7 });
    const { ids } = await draw(1, sureAt(1));
    expect(ids).not.toEqual(autoregressive(24, next));
    for (const blockLength of [2, 5, 8, 24]) {
      for (const policy of [sureAt(1), sureAt(0.7), inSteps(2)]) {
        expect((await draw(blockLength, policy)).ids).toEqual(ids);
      }
    }
  });
});

describe('forwards', () => {
  it('never denoises at block length 1 with logit shift', async () => {
    const { decodes, forwards } = await sample({ maxTokens: 9, blockLength: 1 });
    expect(decodes.map(({ kind }) => kind)).toEqual(new Array(8).fill('commit'));
    expect([forwards.nfe, forwards.positionForwards]).toEqual([8, 8]);
  });

  it('runs nothing after the prefill for one token', async () => {
    const { decodes } = await sample({ maxTokens: 1, blockLength: 8 });
    expect(decodes).toEqual([]);
  });

  // Completion offsets 1, 2, 3 are decided in the order 2, 1, 3.
  const twoFirst = (position: number) => [0, 0.6, 0.7, 0.5][position - PROMPT.length] ?? 0;

  it('commits what is final and predicts the masks behind it in one forward', async () => {
    const { decodes, forwards, ids } = await sample({ maxTokens: 8, blockLength: 4, policy: sureAt(0.9) });
    const [a, b, c, d, e] = ids;
    expect(decodes.slice(0, 4)).toEqual([
      { kind: 'advance', ids: [a, MASK, MASK], positions: [1, 2] },
      { kind: 'advance', ids: [b, MASK], positions: [1] },
      { kind: 'commit', ids: [c], positions: [] },
      { kind: 'advance', ids: [d, MASK, MASK, MASK], positions: [1, 2, 3] },
    ]);
    expect(decodes[4]?.ids[0]).toBe(e);
    // 3 + 2 + 1 + 4 + 3 + 2 + 1: no position of a finished prefix is run twice, and none whose prediction nobody wants.
    expect([forwards.nfe, forwards.positionForwards]).toEqual([7, 16]);
  });

  it('keeps a block together under block-causal context, most probable first', async () => {
    const { decodes, forwards, ids } = await sample({
      model: { config: { contextAttention: 'block_causal', grid: 'prompt_end' }, confidence: twoFirst },
      maxTokens: 5,
      blockLength: 4,
      policy: inSteps(3),
    });
    const [a, b, c, d] = ids;
    expect(decodes).toEqual([
      { kind: 'denoise', ids: [a, MASK, MASK, MASK], positions: [1, 2, 3] },
      { kind: 'denoise', ids: [a, MASK, c, MASK], positions: [1, 3] },
      { kind: 'denoise', ids: [a, b, c, MASK], positions: [3] },
      { kind: 'commit', ids: [a, b, c, d], positions: [] },
    ]);
    expect([forwards.nfe, forwards.positionForwards]).toEqual([4, 16]);
  });

  it('splits a forward that would be too long', async () => {
    const { decodes, ids } = await sample({
      model: { config: { contextAttention: 'block_causal', grid: 'prompt_end', blockLength: 40 } },
      maxTokens: 100,
      blockLength: 40,
      policy: sureAt(0),
    });
    expect(ids).toEqual(autoregressive(100));
    expect(decodes.map(({ kind, ids: { length } }) => [kind, length])).toEqual([
      ['denoise', 40],
      ['commit', 40],
      ['denoise', 40],
      ['advance', 60],
    ]);
  });

  it('asks for position 0 too without logit shift', async () => {
    const { decodes } = await sample({
      model: { config: { logitShift: false } },
      maxTokens: 4,
      blockLength: 4,
      policy: inSteps(1),
    });
    expect(decodes).toEqual([{ kind: 'denoise', ids: [MASK, MASK, MASK, MASK], positions: [0, 1, 2, 3] }]);
  });

  it('stops denoising once an EOS has no mask before it', async () => {
    const next = (prefix: readonly number[]) => (prefix.length === PROMPT.length + 2 ? EOS : chain(prefix));
    const leftToRight = (position: number) => 1 / position;
    const { decodes, ids } = await sample({
      model: { next, confidence: leftToRight },
      maxTokens: 16,
      blockLength: 8,
      policy: sureAt(1),
    });
    expect(decodes.length).toBe(2);
    expect(ids.length).toBe(2);
  });

  it('prefills in chunks that end on block boundaries', async () => {
    const prompt = Array.from({ length: 150 }, (_, i) => i);
    for (const [contextAttention, blockLength, chunks] of [
      ['causal', 24, [64, 64, 22]],
      ['block_causal', 8, [64, 64, 16]],
      ['block_causal', 24, [48, 48, 48]],
    ] as const) {
      const config = { blockLength, contextAttention };
      const { model, prefills } = await sample({ model: { config }, prompt, maxTokens: 1, blockLength: 1 });
      const prefilled = model.forwards.slice(0, prefills).map(({ ids }) => ids);
      expect(prefilled.map((ids) => ids.length)).toEqual(chunks);
      expect(prefilled.flat()).toEqual(prompt.slice(0, prefilled.flat().length));
    }
  });

  it('lets the event loop turn before every forward', async () => {
    let turns = 0;
    let running = true;
    const spin = () => {
      turns += 1;
      if (running) setImmediate(spin);
    };
    setImmediate(spin);
    const seen: number[] = [];
    await sample({ model: { onForward: () => void seen.push(turns) }, maxTokens: 12, blockLength: 4 });
    running = false;
    expect(seen.length).toBeGreaterThan(6);
    expect(new Set(seen).size).toBe(seen.length);
  });
});

/** Right with the given probability, by position; elsewhere another id. */
function unsure(right: number, salt = 0) {
  return (position: number, id: number) =>
    uniform(salt, position) < right ? id : 33 + ((id + 1 + (position % 5)) % 90);
}

describe('verified blocks', () => {
  const eosAt = (length: number) => (prefix: readonly number[]) =>
    prefix.length === PROMPT.length + length ? EOS : chain(prefix);

  it.each([1, 2, 4, 8, 16])('block length %i gives the autoregressive ids whatever the drafts', async (blockLength) => {
    for (const right of [0, 0.5, 0.9, 1]) {
      for (const maxTokens of [1, 2, 9, 40]) {
        for (const policy of [sureAt(0), sureAt(0.7), inSteps(1)]) {
          const run = { model: { draft: unsure(right) }, maxTokens, blockLength, policy, verify: true };
          const { ids, end, cache } = await sample(run);
          expect(ids).toEqual(autoregressive(maxTokens));
          expect(end).toBe('length');
          expect(cache.length).toBeLessThan(PROMPT.length + maxTokens);
        }
      }
    }
  });

  it('stops at an EOS that the causal predictions confirm, not at a drafted one', async () => {
    for (const length of [1, 2, 5, 11]) {
      const { ids, end } = await sample({
        model: { next: eosAt(length), draft: (position, id) => (position % 3 === 0 ? EOS : id) },
        maxTokens: 40,
        blockLength: 8,
        policy: sureAt(0),
        verify: true,
      });
      expect(ids).toEqual(autoregressive(length));
      expect(end).toBe('eos');
    }
  });

  it('draws what block length 1 draws', async () => {
    for (const seed of [1, 2, 3]) {
      const run = { maxTokens: 30, policy: sureAt(0.2), seed };
      const { ids } = await sample({ ...run, blockLength: 1 });
      for (const right of [0, 0.6, 1]) {
        const model = { draft: unsure(right, seed) };
        expect((await sample({ ...run, model, blockLength: 8, verify: true })).ids).toEqual(ids);
      }
    }
  });

  it('counts the ids before each row in its penalties, as block length 1 does', async () => {
    const logitRules = { frequencyPenalty: 1.2, presencePenalty: 0.5, logitBias: new Map([[40, 3]]) };
    for (const seed of [undefined, 1, 2, 3]) {
      const run = { maxTokens: 30, policy: sureAt(0.2), logitRules, ...(seed !== undefined && { seed }) };
      const { ids } = await sample({ ...run, blockLength: 1 });
      for (const right of [0, 0.6, 1]) {
        const model = { draft: unsure(right, 5) };
        expect((await sample({ ...run, model, blockLength: 8, verify: true })).ids).toEqual(ids);
      }
    }
  });

  it('gains a block a forward when every draft is right', async () => {
    const { decodes } = await sample({ maxTokens: 41, blockLength: 8, policy: sureAt(0), verify: true });
    // The first forward has one clean token, every later one the eight that the last one gave.
    expect(decodes.map(({ ids }) => ids.filter((id) => id !== MASK).length)).toEqual([1, 8, 8, 8, 8, 7]);
  });

  it('says which drafts did not hold', async () => {
    const wrong = PROMPT.length + 3;
    const { steps, ids } = await sample({
      model: { draft: (position, id) => (position === wrong ? 34 + (id % 80) : id) },
      maxTokens: 8,
      blockLength: 8,
      policy: sureAt(0),
      verify: true,
    });
    const revised = steps.find((step) => step.revised.length > 0);
    expect(revised?.revised).toEqual([3]);
    expect(revised?.remasked).toEqual([4, 5, 6, 7]);
    const shown: number[] = [];
    for (const step of steps) {
      for (const [i, position] of step.positions.entries()) shown[position] = step.ids[i]!;
      for (const position of step.remasked) delete shown[position];
    }
    expect(shown).toEqual(ids);
  });

  it('is refused without causal context and logit shift', async () => {
    for (const config of semantics.slice(1)) {
      await expect(sample({ model: { config }, maxTokens: 8, blockLength: 8, verify: true })).rejects.toThrow('causal');
    }
  });
});

describe('remasking', () => {
  it.each(semantics)('ends, with every id decided: $logitShift $contextAttention', async (config) => {
    for (const strategy of ['cap', 'confidence'] as const) {
      for (const sigma of [0.2, 1]) {
        const remasking = remask({ strategy, sigma, steps: 6 }, 5);
        const run = { model: { config }, maxTokens: 20, blockLength: 8, policy: inSteps(4), remasking };
        const { ids, end, steps, forwards } = await sample(run);
        expect(ids).toEqual(autoregressive(20));
        expect(end).toBe('length');
        expect(steps.some((step) => step.remasked.length > 0)).toBe(true);
        expect(forwards.nfe).toBeLessThanOrEqual(3 * (6 + 8 + 1));
      }
    }
  });

  it('never touches what was told', async () => {
    const remasking = remask({ strategy: 'cap', sigma: 0.5, steps: 8 }, 9);
    const { steps, ids } = await sample({ maxTokens: 24, blockLength: 8, policy: inSteps(8), remasking });
    const last = new Map(steps.flatMap((step) => step.positions.map((position, i) => [position, step.ids[i]!])));
    expect(Array.from(ids.keys(), (offset) => last.get(offset))).toEqual(ids);
    for (const { block, remasked } of steps) {
      expect(remasked.every((offset) => Math.floor(offset / 8) === block && offset % 8 > 0)).toBe(true);
    }
  });
});

describe('a broken partner', () => {
  it('is refused when the model predicts a mask', async () => {
    const next = (prefix: readonly number[]) => (prefix.length === PROMPT.length + 2 ? MASK : chain(prefix));
    for (const blockLength of [1, 4]) {
      await expect(sample({ model: { next }, maxTokens: 8, blockLength })).rejects.toThrow('predicted the mask');
    }
  });

  it('is refused when the policy decides nothing', async () => {
    const policy = (_: Predictions) => new Int32Array();
    await expect(sample({ maxTokens: 8, blockLength: 4, policy })).rejects.toThrow('policy decided nothing');
  });
});

describe('abort', () => {
  it('runs no further forward, wherever it comes', async () => {
    const run = { prompt: new Array(100).fill(1), maxTokens: 12, blockLength: 4 };
    const total = (await sample(run)).model.forwards.length;
    for (let at = 0; at < total - 1; at++) {
      const controller = new AbortController();
      let started = 0;
      const onForward = (index: number) => {
        started += 1;
        if (index === at) controller.abort(new Error(`gone at ${at}`));
      };
      await expect(sample({ ...run, model: { onForward }, signal: controller.signal })).rejects.toThrow(
        `gone at ${at}`,
      );
      expect(started).toBe(at + 1);
    }
  });
});

describe("blocks on the model's grid", () => {
  const B = 4;
  const onGrid = (config: Partial<ModelConfig>, prompt: number[], part = B) => {
    const full = { ...new FakeModel().config, contextAttention: 'block_causal' as const, blockLength: B, ...config };
    const length = full.contextAttention === 'full' ? Number.POSITIVE_INFINITY : B;
    const phase = full.contextAttention === 'full' ? 0 : uncommittedPrompt(full, prompt.length);
    return { model: { config: full }, prompt, width: grid(length, part, phase), blockLength: B };
  };
  const prompts = Array.from({ length: 2 * B + 2 }, (_, length) =>
    Array.from({ length: length + 1 }, (_, i) => 40 + i),
  );
  const right = (prompt: number[], length: number) => {
    const ids = [...prompt];
    while (ids.length < prompt.length + length) ids.push(chain(ids));
    return ids.slice(prompt.length);
  };

  it.each([
    { logitShift: false },
    { logitShift: true },
    { logitShift: true, firstToken: 'from_commit' },
    { logitShift: false, grid: 'prompt_end' },
    { logitShift: false, contextAttention: 'full' },
    { logitShift: true, contextAttention: 'full' },
  ] as const)('%j writes the right ids after every prompt, in whole blocks and in parts', async (config) => {
    for (const prompt of prompts) {
      for (const part of [1, 2, B]) {
        const { ids, end, cache } = await sample({ ...onGrid(config, prompt, part), maxTokens: 11 });
        expect(ids).toEqual(right(prompt, 11));
        expect(end).toBe('length');
        if ('contextAttention' in config) expect(cache.length).toBe(0);
      }
    }
  });

  it('begins with the end of the prompt, and commits whole blocks', async () => {
    const run = onGrid({ logitShift: false }, [40, 41, 42, 43, 44, 45]);
    const { decodes, model } = await sample({ ...run, maxTokens: 6, policy: sureAt(0) });
    expect(model.forwards[0]).toMatchObject({ kind: 'commit', ids: [40, 41, 42, 43] });
    expect(decodes[0]).toEqual({ kind: 'denoise', ids: [44, 45, MASK, MASK], positions: [2, 3] });
    expect(decodes[1]!.kind).toBe('advance');
    expect(decodes[1]!.ids.slice(4)).toEqual([MASK, MASK, MASK, MASK]);
    expect(decodes.length).toBe(2);
  });

  it('takes the first id from a commit of its own where the model does', async () => {
    const run = onGrid({ logitShift: true, firstToken: 'from_commit' }, [40, 41, 42, 43]);
    const { decodes, ids } = await sample({ ...run, maxTokens: 8, policy: sureAt(0) });
    expect(decodes).toEqual([
      { kind: 'denoise', ids: [ids[0], MASK, MASK, MASK], positions: [1, 2, 3] },
      { kind: 'commit', ids: ids.slice(0, 4), positions: [] },
      { kind: 'denoise', ids: [ids[4], MASK, MASK, MASK], positions: [1, 2, 3] },
    ]);
  });

  it('decides a part before what follows it, in forwards of the whole block', async () => {
    const run = onGrid({ logitShift: false }, [40, 41, 42, 43], 2);
    const { decodes } = await sample({ ...run, maxTokens: 4, policy: sureAt(0) });
    expect(decodes.map(({ ids, positions }) => [ids.length, positions])).toEqual([
      [4, [0, 1]],
      [4, [2, 3]],
    ]);
  });

  it('runs the prompt and the whole completion every time where context is full', async () => {
    const run = onGrid({ logitShift: true, contextAttention: 'full' }, [40, 41, 42]);
    const { decodes, model } = await sample({ ...run, maxTokens: 8, policy: sureAt(0) });
    expect(model.forwards.length).toBe(decodes.length);
    expect(decodes.map(({ kind, ids, positions }) => [kind, ids.length, positions])).toEqual([
      ['denoise', 11, [3, 4, 5, 6]],
      ['denoise', 11, [7, 8, 9, 10]],
    ]);
  });

  it.each([
    ['no_mask_before', 2],
    ['after_block', 4],
    ['none', 8],
  ] as const)('stop rule %s ends the same text after %i of 8 ids', async (stopRule, decided) => {
    const run = onGrid({ logitShift: false, stopRule }, [40, 41, 42, 43]);
    const next = (prefix: readonly number[]) => (prefix.length === 5 ? EOS : 50 + prefix.length);
    const model = { ...run.model, next };
    const { steps, ids, end } = await sample({ ...run, model, maxTokens: 8, policy: leftmost });
    expect(ids).toEqual([54]);
    expect(end).toBe('eos');
    expect(steps.flatMap(({ positions }) => positions).length).toBe(decided);
  });
});
