import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../src/model/config.ts';
import type { Predictions } from '../../src/model/model.ts';
import { sampleBlocks } from '../../src/sampler/block-sampler.ts';
import { createDraw } from '../../src/sampler/draw.ts';
import { Forwards } from '../../src/sampler/forwards.ts';
import { createPolicy, type Policy } from '../../src/sampler/policies/index.ts';
import { EOS, MASK } from '../support/byte-tokenizer.ts';
import { chain, FakeModel, type FakeModelOptions } from '../support/fake-model.ts';

const PROMPT = [5, 80, 33];
const sureAt = (threshold: number) => createPolicy({ policy: 'confidence', threshold, steps: 1 });
const inSteps = (steps: number) => createPolicy({ policy: 'fixed', threshold: 0, steps });

interface Run {
  readonly model?: FakeModelOptions;
  readonly prompt?: number[];
  readonly maxTokens: number;
  readonly blockLength: number;
  readonly policy?: Policy;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

async function sample(run: Run) {
  const model = new FakeModel(run.model);
  const prompt = run.prompt ?? PROMPT;
  const cache = model.createCache(prompt.length + run.maxTokens);
  const draw = createDraw({ temperature: run.seed === undefined ? 0 : 1, topP: 1, topK: 0, seed: run.seed ?? 0 });
  const forwards = new Forwards(model, cache, draw, run.signal ?? new AbortController().signal);
  const first = await forwards.prefill(Int32Array.from(prompt));
  const prefills = model.forwards.length;
  const ids: number[] = [];
  const steps: { block: number; positions: number[]; ids: number[] }[] = [];
  let end: 'eos' | 'length' | null = null;
  const settings = { maxTokens: run.maxTokens, blockLength: run.blockLength, policy: run.policy ?? sureAt(0.9) };
  for await (const event of sampleBlocks(forwards, model.config, settings, first)) {
    if (event.type === 'step') {
      steps.push({ block: event.block, positions: [...event.positions], ids: [...event.ids] });
    } else {
      expect(end).toBeNull();
      ids.push(...event.ids);
      end = event.end;
    }
  }
  return { model, forwards, ids, steps, end, decodes: model.forwards.slice(prefills), cache };
}

/** What one-at-a-time greedy decoding gives. */
function autoregressive(length: number, next = chain): number[] {
  const ids = [...PROMPT];
  while (ids.length < PROMPT.length + length) ids.push(next(ids));
  return ids.slice(PROMPT.length);
}

const shifts: Partial<ModelConfig>[] = [{ logitShift: true }, { logitShift: false }];

describe.each(shifts)('block loop, logitShift $logitShift', (config) => {
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

  it('does not commit the last block', async () => {
    const { cache } = await sample({ model: { config }, maxTokens: 12, blockLength: 8 });
    expect(cache.length).toBe(PROMPT.length + 8);
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

  it('asks for the masks that are left, most probable first, then commits', async () => {
    // Completion offsets 1, 2, 3 are decided in the order 2, 1, 3.
    const confidence = (position: number) => [0, 0.6, 0.7, 0.5][position - PROMPT.length] ?? 0;
    const { decodes, forwards, ids } = await sample({
      model: { confidence },
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
    expect(decodes.map(({ positions }) => positions[0])).toEqual([1, 2]);
    expect(ids.length).toBe(2);
  });

  it('prefills in chunks that end on block boundaries', async () => {
    const prompt = Array.from({ length: 150 }, (_, i) => i);
    for (const [blockLength, chunks] of [
      [8, [64, 64, 22]],
      [24, [72, 72, 6]],
      [200, [150]],
    ] as const) {
      const { model } = await sample({ model: { config: { blockLength } }, prompt, maxTokens: 1, blockLength: 1 });
      expect(model.forwards.map(({ ids }) => ids.length)).toEqual(chunks);
      expect(model.forwards.flatMap(({ ids }) => ids)).toEqual(prompt);
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
