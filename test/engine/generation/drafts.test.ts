/** Drafts from every source and mix: the text, its probabilities and its end stay those of block length 1. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { EngineEvent } from '../../../src/engine/job.ts';
import { type DoneEvent, DRAFT_SOURCES, type GenerateRequest } from '../../../src/engine/request.ts';
import type { CostCurve } from '../../../src/model/cost-curve.ts';
import type { DiffusionModel } from '../../../src/model/model.ts';
import { uniform } from '../../../src/sampler/random.ts';
import { ByteTokenizer, EOS, MASK } from '../../support/engines/byte-tokenizer.ts';
import { FakeModel, type FakeModelOptions } from '../../support/engines/fake-model.ts';
import { convertFixture, wasmModel } from '../../support/engines/models.ts';
import { LIMITS, request } from '../requests.ts';

/** Rows beside the first cost little: drafts pay. */
const CHEAP: CostCurve = { source: 'measured', positions: [1, 64], costs: [1, 3] };
/** All mixes, the empty one too. */
const MIXES = Array.from({ length: 2 ** DRAFT_SOURCES.length }, (_, bits) =>
  DRAFT_SOURCES.filter((_, i) => bits & (1 << i)),
);
/** One token of two bytes, so that a prompt can end inside a token. */
const PAIR = 263;
const INFILL = { prefix: 259, suffix: 260, middle: 261, end: 262, order: 'prefix_first' } as const;

class PairTokenizer extends ByteTokenizer {
  override bytes(id: number): Uint8Array {
    return id === PAIR ? new TextEncoder().encode('=A') : super.bytes(id);
  }

  override beginningWith(bytes: Uint8Array): Int32Array {
    return bytes.length === 1 && bytes[0] === 0x3d ? Int32Array.of(0x3d, PAIR) : super.beginningWith(bytes);
  }
}

/** Everything that a client may see of a text. */
async function seen(events: AsyncIterable<EngineEvent>) {
  let text = '';
  const tokens: unknown[] = [];
  let done: DoneEvent | undefined;
  for await (const event of events) {
    if (event.type === 'step') expect(event.ids.includes(MASK)).toBe(false);
    if (event.type === 'block') {
      text += event.text;
      tokens.push(...event.tokens);
    }
    if (event.type === 'done') done = event;
  }
  if (!done) throw new Error('no done event at the end');
  const { finishReason, stopString, usage, cost } = done;
  return { answer: { text, tokens, finishReason, stopString, usage }, cost };
}

/** Words that come again and again, so that drafts hold, in an order that depends on the last three ids. */
function repeats(salt: number, ends: boolean) {
  return (prefix: readonly number[]) => {
    const last = prefix.slice(-3);
    const hash = last.reduce((sum, id) => Math.imul(sum ^ id, 0x01000193), 0x811c9dc5 ^ salt) >>> 0;
    if (ends && prefix.length > 30 && hash % 97 === 0) return hash % 2 === 0 ? EOS : INFILL.end;
    return 65 + (hash % 7);
  };
}

function draw(seed: number) {
  let stream = 0;
  const below = (limit: number) => Math.floor(uniform(seed, 13, stream++) * limit);
  const one = <T>(...choices: readonly T[]): T => choices[below(choices.length)]!;
  const wrong = one(0, 0.3, 0.9);
  const model: FakeModelOptions = {
    config: { vocabSize: 264, infill: INFILL },
    costs: CHEAP,
    next: repeats(seed, below(2) === 0),
    confidence: (position) => uniform(seed, position, 5),
    draft: (position, id) => (uniform(seed, position, 6) < wrong ? one(EOS, 65 + below(7)) : id),
  };
  const asked = request({
    context: one('', 'ABCD\n'),
    prompt: one('let x', 'ABCABC', 'x =', `${'ABGFE'.repeat(below(30))}A`),
    suffix: one(null, null, '', ';\nABCDEF();\n'),
    maxTokens: one(1, 2, 3, 40, 90),
    temperature: one(0, 0, 0.7, 2),
    topP: one(1, 0.5),
    topK: one(0, 3),
    minP: one(0, 0.1),
    seed,
    stop: one([], [], ['AB'], ['GG', 'CAF'], ['ABA']),
    logprobs: one(null, { alternatives: 0, prompt: false }, { alternatives: 3, prompt: true }),
    logitRules: one(
      null,
      null,
      { frequencyPenalty: 0.4, presencePenalty: -1, logitBias: new Map([[66, 2]]) },
      { frequencyPenalty: 0, presencePenalty: 0, logitBias: new Map(), repetition: { penalty: 1.3, window: 9 } },
    ),
  });
  const prediction = (text: string) =>
    one(
      text,
      `${text}more after the end`,
      text.slice(Math.floor(text.length / 3)),
      text.replaceAll('A', 'BB'),
      `${text.slice(0, 9)}-other-${text.slice(12)}`,
      `<|endoftext|>${text.slice(0, 5)}\u0000é`,
      'nothing of it',
    );
  return { model, asked, prediction };
}

function withDrafts(asked: GenerateRequest, prediction: string, drafts: GenerateRequest['decoding']['drafts'] | null) {
  const threshold = { policy: 'confidence' as const, threshold: 0.3 };
  const decoding = {
    ...asked.decoding,
    ...threshold,
    verify: true,
    blockLength: drafts === null ? 1 : null,
    drafts: drafts ?? undefined,
  };
  return { ...asked, prediction, decoding, cacheKey: '' };
}

const REQUESTS = 240;

it(`${REQUESTS} random requests answer with every mix as with block length 1`, async () => {
  const held = new Map<string, number>();
  for (let seed = 0; seed < REQUESTS; seed++) {
    const { model: options, asked, prediction } = draw(seed);
    const run = (request: GenerateRequest) => {
      const model = new FakeModel(options);
      return seen(new Engine(model, new PairTokenizer(), LIMITS).generate(request));
    };
    const plain = await run(withDrafts(asked, '', null));
    const predicted = prediction(plain.answer.text || 'ABC');
    const single = await run(withDrafts(asked, predicted, null));
    expect(single.answer.text, `seed ${seed}`).toBe(plain.answer.text);
    const mix = MIXES[seed % MIXES.length]!;
    const { answer, cost } = await run(withDrafts(asked, predicted, mix));
    expect(answer, `seed ${seed} ${mix}`).toEqual(single.answer);
    expect(cost.nfe).toBeLessThanOrEqual(2 * single.cost.nfe + 2);
    for (const [source, count] of Object.entries(cost.drafts)) {
      expect(mix).toContain(source);
      expect(count.held).toBeLessThanOrEqual(count.offered);
      held.set(source, (held.get(source) ?? 0) + count.held);
    }
  }
  // Each source has drafts that hold.
  for (const source of DRAFT_SOURCES) expect(held.get(source), source).toBeGreaterThan(60);
});

describe('drafts', () => {
  const run = (options: FakeModelOptions, request: GenerateRequest) =>
    seen(new Engine(new FakeModel({ costs: CHEAP, ...options }), new ByteTokenizer(), LIMITS).generate(request));
  const TEXT = 'The quick brown fox jumps over the lazy dog, and then it sleeps under a tree.';
  const saying = (text: string) => ({
    next: (prefix: readonly number[]) => new TextEncoder().encode(text)[prefix.length - 5] ?? EOS,
  });

  it('from a prediction take a text in a few forwards', async () => {
    const asked = request({ maxTokens: 200 });
    const { answer, cost } = await run(saying(TEXT), withDrafts(asked, TEXT, ['prediction']));
    expect(answer.text).toBe(TEXT);
    expect(answer.finishReason).toBe('stop');
    expect(answer.usage.prediction).toEqual({ accepted: TEXT.length, rejected: 0 });
    expect(cost.nfe).toBeLessThan(TEXT.length / 5);
  });

  it('from a prediction that goes on past the end offer no EOS and nothing past the limit', async () => {
    const asked = request({ maxTokens: 12 });
    const { answer, cost } = await run(saying(TEXT), withDrafts(asked, TEXT, ['prediction']));
    expect(answer.text).toBe(TEXT.slice(0, 12));
    expect(answer.finishReason).toBe('length');
    expect(answer.usage.prediction).toEqual({ accepted: 12, rejected: TEXT.length - 12 });
    expect(cost.positionForwards).toBeLessThanOrEqual(2 * 12);
  });

  it('count a prediction the same where nothing is drafted from it', async () => {
    const asked = request({ maxTokens: 200 });
    const { answer, cost } = await run(saying(TEXT), withDrafts(asked, `X${TEXT}`, null));
    expect(answer.usage.prediction).toEqual({ accepted: TEXT.length, rejected: 1 });
    expect(cost.drafts).toEqual({});
  });

  it('go on after lines that were replaced', async () => {
    const lines = Array.from({ length: 12 }, (_, i) => `value${i} = compute(${i * 7});\n`);
    const text = lines.join('');
    const old = lines.map((line, i) => (i % 4 === 2 ? 'removed();\n' : line)).join('');
    const asked = request({ maxTokens: text.length + 20 });
    const { answer, cost } = await run(saying(text), withDrafts(asked, old, ['prediction']));
    expect(answer.text).toBe(text);
    expect(cost.nfe).toBeLessThan(text.length / 2);
  });

  it('are not offered where no row is cheaper than a token', async () => {
    const asked = request({ maxTokens: 60 });
    const dear: CostCurve = { source: 'measured', positions: [1, 64], costs: [1, 64] };
    const { cost } = await run({ ...saying(TEXT), costs: dear }, withDrafts(asked, TEXT, DRAFT_SOURCES));
    expect(cost.positionForwards).toBe(59);
  });
});

describe('on the kernels', () => {
  it('a tiny model writes the same text with every mix', async () => {
    const model: DiffusionModel = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'simd', 1024);
    const cheap = new Proxy(model, {
      get(target, property) {
        const value = property === 'costs' ? CHEAP : Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const engine = new Engine(cheap, new ByteTokenizer(), LIMITS);
    let held = 0;
    for (let i = 0; i < 48; i++) {
      const length = 8 + Math.floor(uniform(i, 0) * 40);
      const period = 1 + Math.floor(uniform(i, 1) * 12);
      const prompt = Int32Array.from({ length }, (_, at) => Math.floor(uniform(i, at % period, 2) * 250));
      const asked = request({
        prompt,
        maxTokens: 40,
        seed: i,
        temperature: i % 3 === 0 ? 0.8 : 0,
        topK: i % 2 === 0 ? 4 : 0,
        logprobs: { alternatives: 2, prompt: false },
        logitRules: i % 4 === 1 ? { frequencyPenalty: 0.5, presencePenalty: 0.1, logitBias: new Map([[9, 1]]) } : null,
      });
      const single = await seen(engine.generate(withDrafts(asked, '', null)));
      const predicted = i % 5 === 0 ? 'something else' : single.answer.text;
      const { answer, cost } = await seen(engine.generate(withDrafts(asked, predicted, MIXES[i % MIXES.length]!)));
      const { usage: ours, ...text } = answer;
      const { usage: theirs, ...expected } = single.answer;
      expect(text, `prompt ${i}`).toEqual(expected);
      expect(ours.completionTokens).toBe(theirs.completionTokens);
      for (const count of Object.values(cost.drafts)) held += count.held;
    }
    expect(held).toBeGreaterThan(100);
    expect(model.freeTokens).toBe(model.maxTokens);
  });
});
