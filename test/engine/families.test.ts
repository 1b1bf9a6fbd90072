/** Greedy decodings of published families, step by step as their own samplers would, for prompts of 0 to 2B+1 tokens. */
import { describe, expect, test } from 'vitest';
import { completionRequestSchema } from '../../src/api/completions/schema.ts';
import { resolveRequest } from '../../src/api/generate/resolve.ts';
import { Engine } from '../../src/engine/engine.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { readSettings } from '../../src/hosts/settings.ts';
import type { WeightSource } from '../../src/model/weight-source.ts';
import {
  convertFamily,
  type DecodingCase,
  FAMILIES,
  type FamilyName,
  FULL_CANVAS,
  familyGolden,
  withConfig,
} from '../support/engines/families.ts';
import { wasmModel } from '../support/engines/models.ts';
import { collect, LIMITS } from './requests.ts';

/** An id that none of the decodings says. */
function unsaid(decodings: readonly DecodingCase[]): number {
  const said = new Set(decodings.flatMap(({ steps }) => steps.flatMap(([, ids]) => ids)));
  return Array.from({ length: 250 }, (_, id) => id).find((id) => id > 5 && !said.has(id))!;
}

async function decode(engine: Engine, { prompt, maxTokens, decoding }: DecodingCase) {
  const body = completionRequestSchema.parse({
    prompt: prompt.length === 0 ? '' : prompt,
    max_tokens: maxTokens,
    temperature: 0,
    decoding,
  });
  const { all, done } = await collect(engine.generate(resolveRequest(body, engine.model, readSettings({}))));
  const steps = all.flatMap((event) => (event.type === 'step' ? [[[...event.positions], [...event.ids]]] : []));
  const decided = new Map(steps.flatMap(([offsets, ids]) => offsets!.map((offset, i) => [offset, ids![i]] as const)));
  const ids = Array.from({ length: done.usage.completionTokens }, (_, offset) => decided.get(offset));
  return { steps, ids, cached: done.usage.cachedTokens };
}

async function engineOf(source: WeightSource, changes: object): Promise<Engine> {
  const model = await wasmModel(withConfig(source, changes), 'relaxed-simd', 128, 'int16');
  return new Engine(model, loadTokenizer(await source.json('tokenizer.json'), model.config.maskTokenId), LIMITS);
}

const isFull = (name: FamilyName) => FULL_CANVAS.some((full) => full === name);

describe.each(FAMILIES)('%s', async (name) => {
  const source = await convertFamily(name);
  const { decodings } = await familyGolden(name);
  const open = (eosTokenIds: readonly number[]) => engineOf(source, { eosTokenIds });

  test('decides the same ids in the same steps', async () => {
    const engine = await open([unsaid(decodings)]);
    for (const example of decodings) {
      if (example.stop === null)
        expect(await decode(engine, example)).toMatchObject({ steps: example.steps, ids: example.ids });
    }
  });

  test('decides the same after an equal prompt, whose KV it may reuse', async () => {
    const engine = await open([unsaid(decodings)]);
    const { grid, contextAttention, blockLength } = engine.model.config;
    const whole = decodings.filter(({ prompt, stop }) => stop === null && prompt.length > blockLength);
    for (const example of whole) {
      await decode(engine, example);
      const again = await decode(engine, example);
      expect(again.steps).toEqual(example.steps);
      const blocks = Math.floor((example.prompt.length - 1) / blockLength) * blockLength;
      // Blocks that are counted from a prompt's end are no other prompt's.
      expect(again.cached).toBe(contextAttention === 'block_causal' && grid === 'zero' ? blocks : 0);
    }
  });

  test('decides the same ids in the same steps over an approximate cache, where its context is full', async () => {
    const approximate = decodings.filter(({ decoding }) => 'approximate_cache' in decoding);
    expect(approximate.length > 6).toBe(isFull(name));
    let different = 0;
    const engine = await open([unsaid(decodings)]);
    expect(engine.model.config.contextAttention === 'full').toBe(isFull(name));
    for (const example of approximate) {
      const { steps } = await decode(engine, example);
      expect(steps).toEqual(example.steps);
      const { approximate_cache: _, ...decoding } = example.decoding as { approximate_cache: object };
      if ((await decode(engine, { ...example, decoding })).steps.join() !== steps.join()) different += 1;
    }
    // Otherwise nothing would tell the two apart.
    expect(different > 2).toBe(isFull(name));
  });

  test('stops where its own code does', async () => {
    const stopping = decodings.filter(({ stop }) => stop !== null);
    expect(stopping.length).toBeGreaterThan(2);
    let saved = 0;
    for (const example of stopping) {
      const engine = await open(example.stop!);
      const { steps, ids } = await decode(engine, example);
      expect(ids).toEqual(example.ids);
      expect(steps).toEqual(example.steps.slice(0, steps.length));
      // A family without a rule of its own decides the rest of the canvas and cuts it off.
      if (engine.model.config.contextAttention !== 'full') expect(steps.length).toBe(example.steps.length);
      saved += example.steps.length - steps.length;
    }
    expect(saved > 0).toBe(isFull(name));
  });
});

describe('every semantic decides: read otherwise, a checkpoint writes other ids', () => {
  test.each([
    ['tiny-a2d-bd3lm', { grid: 'zero' }],
    ['tiny-a2d-bd3lm', { blockLength: 8 }],
    ['sdar', { grid: 'prompt_end' }],
    ['sdar', { contextAttention: 'causal' }],
    ['stable-diffcoder', { logitShift: true }],
    ['fast-dllm-v2', { firstToken: 'denoise' }],
    ['fast-dllm-v2', { subBlockLength: null }],
    ['fast-dllm-v2', { logitShift: false, firstToken: 'denoise' }],
    ['tiny-a2d-mdlm', { contextAttention: 'block_causal' }],
    ['tiny-a2d-mdlm', { blockLength: 8 }],
    ['dream', { logitShift: false }],
    ['open-dcoder', { decoding: { policy: 'fixed', schedule: 'floor', ranking: 'probability', steps: null } }],
  ] as const)('%s, %j', async (name, changes) => {
    const { decodings } = await familyGolden(name);
    const engine = await engineOf(await convertFamily(name), { eosTokenIds: [unsaid(decodings)], ...changes });
    let different = 0;
    for (const example of decodings) {
      if (example.stop !== null || Object.keys(example.decoding).length > 0) continue;
      const { steps } = await decode(engine, example);
      if (JSON.stringify(steps) !== JSON.stringify(example.steps)) different += 1;
    }
    expect(different).toBeGreaterThan(2);
  });
});
