/** `decoding.verify` on models whose tokens see their block: the text is that of block length 1, which PyTorch says too. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { DRAFT_SOURCES, type GenerateRequest } from '../../../src/engine/request.ts';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import type { DiffusionModel } from '../../../src/model/model.ts';
import type { WeightSource } from '../../../src/model/weight-source.ts';
import { uniform } from '../../../src/sampler/random.ts';
import { convertFamily, type FamilyName, withConfig } from '../../support/engines/families.ts';
import { fixture, scalarModel, wasmModel } from '../../support/engines/models.ts';
import { collect, LIMITS, type Overrides, request } from '../requests.ts';

/** A text that `python -m recipe block-length-1` decoded, one forward of all tokens for each. */
interface Text {
  readonly prompt: readonly number[];
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
  readonly seed: number;
  readonly repetition: number;
  readonly frequency: number;
  readonly ids: readonly number[];
}

const TEXTS: Readonly<Partial<Record<FamilyName, readonly Text[]>>> = JSON.parse(
  await readFile(fixture('families/block-length-1.json'), 'utf8'),
);
const NAMES = Object.keys(TEXTS) as FamilyName[];
async function engineOf(source: WeightSource, load: (source: WeightSource) => Promise<DiffusionModel>) {
  const model = await load(source);
  return new Engine(model, loadTokenizer(await source.json('tokenizer.json'), model.config.maskTokenId), LIMITS);
}

const DECIDE_ALL = { policy: 'confidence', threshold: 0 } as const;

function asked(text: Text, decoding: Overrides['decoding']): GenerateRequest {
  const { repetition, frequency } = text;
  const penalty = { penalty: repetition, window: Number.POSITIVE_INFINITY };
  const rules = { frequencyPenalty: frequency, presencePenalty: 0, logitBias: new Map(), repetition: penalty };
  return request({
    prompt: text.prompt.length === 0 ? '' : Int32Array.from(text.prompt),
    maxTokens: text.ids.length,
    temperature: text.temperature,
    topP: text.top_p,
    topK: text.top_k,
    seed: text.seed,
    logitRules: repetition === 1 && frequency === 0 ? null : rules,
    decoding: { ...DECIDE_ALL, verify: true, ...decoding } as GenerateRequest['decoding'],
  });
}

async function idsOf(engine: Engine, of: GenerateRequest) {
  const { all, done } = await collect(engine.generate(of));
  const ids = new Map<number, number>();
  for (const event of all) {
    if (event.type === 'step') event.positions.forEach((offset, i) => void ids.set(offset, event.ids[i]!));
  }
  return { ids: Array.from({ length: done.usage.completionTokens }, (_, i) => ids.get(i)), done };
}

/** Everything that a client may see of a text. */
async function seen(engine: Engine, of: GenerateRequest) {
  const { all, text, done } = await collect(engine.generate(of));
  const tokens = all.flatMap((event) => (event.type === 'block' ? event.tokens : []));
  const { finishReason, stopString, usage, cost } = done;
  return { answer: { text, tokens, finishReason, stopString, usage: { ...usage, cachedTokens: 0 } }, cost };
}

function draw(seed: number) {
  let stream = 0;
  const below = (limit: number) => Math.floor(uniform(seed, 29, stream++) * limit);
  const one = <T>(...choices: readonly T[]): T => choices[below(choices.length)]!;
  const rules = { frequencyPenalty: 0, presencePenalty: 0, logitBias: new Map<number, number>() };
  const fields = {
    prompt: one('let x', 'abababab', '', `${'f(a);'.repeat(below(9))}f`),
    maxTokens: one(1, 2, 24, 24, 40),
    temperature: one(0, 0, 0.7, 1.2),
    topP: one(1, 0.5),
    topK: one(0, 3),
    minP: one(0, 0.1),
    seed,
    stop: one<string[]>([], [], ['a'], ['e', 'th']),
    prediction: one('', '', 'f(a);f(a);'),
    logprobs: one(null, null, { alternatives: 2, prompt: false }),
    logitRules: one(
      null,
      { ...rules, frequencyPenalty: 0.4, presencePenalty: -1, logitBias: new Map([[66, 2]]) },
      { ...rules, repetition: { penalty: 1.3, window: 9 } },
    ),
  };
  const of = (decoding: Overrides['decoding']) =>
    request({ ...fields, decoding: { ...DECIDE_ALL, ...decoding } as GenerateRequest['decoding'] });
  const windows = [
    { blockLength: one(2, 3, 5) },
    { blockLength: one(8, 33, 64) },
    { blockLength: one(2, 8), drafts: DRAFT_SOURCES.filter(() => below(2) === 0) },
    { blockLength: null },
  ];
  return { of, windows };
}

describe.each(NAMES)('%s', async (name) => {
  const converted = await convertFamily(name);
  const texts = TEXTS[name]!;
  const said = new Set(texts.flatMap(({ ids }) => ids));
  const unsaid = Array.from({ length: 250 }, (_, id) => id).find((id) => id > 5 && !said.has(id))!;
  const source = withConfig(converted, { eosTokenIds: [unsaid] });

  it('writes the texts of PyTorch, drawn and with penalties, whatever the window', async () => {
    const engine = await engineOf(source, scalarModel);
    for (const [i, text] of texts.entries()) {
      const { ids } = await idsOf(engine, asked(text, { blockLength: [1, 2, 4][i % 3]! }));
      expect(ids, `text ${i}`).toEqual(text.ids);
    }
  });

  it('writes them on the kernels, where nothing is drawn', async () => {
    const engine = await engineOf(source, (from) => wasmModel(from, 'relaxed-simd', 256, 'int16'));
    for (const text of texts.filter(({ temperature }) => temperature === 0)) {
      for (const blockLength of [1, 3, 16]) {
        expect((await idsOf(engine, asked(text, { blockLength }))).ids).toEqual(text.ids);
      }
    }
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  it('answers random requests as with windows of one, and as the model that was converted so', async () => {
    const load = (from: WeightSource) => wasmModel(from, 'relaxed-simd', 512);
    const engine = await engineOf(converted, load);
    const { logitShift } = engine.model.config;
    const alone = logitShift ? { contextAttention: 'causal', firstToken: 'denoise' } : { blockLength: 1 };
    const ones = await engineOf(withConfig(converted, alone), load);
    let [sequential, verified, held] = [0, 0, 0];
    for (let seed = 0; seed < 12; seed++) {
      const { of, windows } = draw(seed);
      const one = await seen(engine, of({ verify: true, blockLength: 1 }));
      for (const decoding of windows) {
        const { answer, cost } = await seen(engine, of({ verify: true, ...decoding }));
        expect(answer, `${seed}, ${JSON.stringify(decoding)}`).toEqual(one.answer);
        verified += cost.nfe;
        sequential += one.cost.nfe;
        held += Object.values(cost.drafts).reduce((sum, count) => sum + count.held, 0);
      }
      const { answer } = await seen(ones, of({ verify: false, blockLength: 1 }));
      const { logprobs } = of({});
      if (logprobs === null) expect(answer).toEqual({ ...one.answer, usage: answer.usage });
    }
    expect(held).toBeGreaterThan(10);
    expect(verified).toBeLessThan(sequential);
  });

  it('has two rows for a token where a mask checks it, one where a token predicts the next', async () => {
    const engine = await engineOf(source, (from) => wasmModel(from, 'relaxed-simd', 512));
    const rows = engine.model.config.logitShift ? 1 : 2;
    const text = texts.find(({ temperature }) => temperature === 0)!;
    const { cost } = (await idsOf(engine, asked(text, { blockLength: 1 }))).done;
    // The prefill predicts the first token, and the last one is never committed.
    expect(cost.nfe).toBe(text.ids.length - 1);
    expect(cost.positionForwards).toBe(rows * cost.nfe);
    for (const { prompt } of texts) {
      const none = { ...asked(text, { blockLength: null }), prompt: Int32Array.from(prompt), maxTokens: 0 };
      if (prompt.length > 0) expect((await idsOf(engine, none)).ids).toEqual([]);
    }
  });

  it('shares no KV with requests in blocks, and takes part in their forwards', async () => {
    const engine = await engineOf(source, (from) => wasmModel(from, 'relaxed-simd', 512));
    const prompt = Int32Array.from({ length: 19 }, (_, i) => 20 + ((i * 7) % 200));
    const of = (decoding: Overrides['decoding']) =>
      request({ prompt, maxTokens: 9, decoding: { ...DECIDE_ALL, ...decoding } as GenerateRequest['decoding'] });
    const kinds = [of({ verify: false, blockLength: 4 }), of({ verify: true, blockLength: 3 })];
    const lone: unknown[] = [];
    for (const kind of kinds) lone.push((await idsOf(engine, kind)).ids);
    // Only a request of the same kind reuses pages of the prompt.
    const again = await Promise.all([...kinds, ...kinds].map((kind) => idsOf(engine, kind)));
    expect(again.map(({ ids }) => ids)).toEqual([...lone, ...lone]);
    const { grid, blockLength } = engine.model.config;
    const pages = grid === 'zero' ? Math.floor(18 / blockLength) * blockLength : 0;
    expect(again.map(({ done }) => done.usage.cachedTokens)).toEqual([pages, pages, pages, pages]);
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  it('gives its KV to others and runs again, with the same text', async () => {
    const [roomy, narrow] = [512, 48].map((kv) => engineOf(source, (from) => wasmModel(from, 'relaxed-simd', kv)));
    const kinds = [1, 2].map((step) => {
      const prompt = Int32Array.from({ length: 17 }, (_, i) => 20 + ((i * 7 * step) % 200));
      return request({ prompt, maxTokens: 16, decoding: { ...DECIDE_ALL, verify: true, blockLength: 2 } });
    });
    const lone: unknown[] = [];
    for (const kind of kinds) lone.push((await idsOf(await roomy!, kind)).ids);
    const both = await Promise.all(kinds.map(async (kind) => idsOf(await narrow!, kind)));
    expect(both.map(({ ids }) => ids)).toEqual(lone);
    expect(both.reduce((sum, { done }) => sum + done.usage.completionTokens, 34)).toBeGreaterThan(48);
  });
});

it.each(['tiny-a2d-mdlm', 'dream'] as const)('is refused where every token sees all others, %s', async (name) => {
  const engine = await engineOf(await convertFamily(name), (from) => wasmModel(from, 'relaxed-simd'));
  const of = request({ decoding: { verify: true } });
  expect(() => engine.check(of)).toThrow(expect.objectContaining({ param: 'decoding.verify' }));
});
