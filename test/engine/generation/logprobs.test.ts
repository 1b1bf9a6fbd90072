/** What the events say of single tokens. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { TextToken } from '../../../src/engine/request.ts';
import type { AdvanceAsk, Advanced, KvCache } from '../../../src/model/model.ts';
import { ByteTokenizer } from '../../support/engines/byte-tokenizer.ts';
import { FakeModel, type FakeModelOptions } from '../../support/engines/fake-model.ts';
import { collect, LIMITS, type Overrides, request, saying } from '../requests.ts';

/** Drafts look certain, whatever the causal rows say of them. */
class BoldModel extends FakeModel {
  override async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const advanced = await super.advance(ids, block, cache, ask);
    advanced.block.probs.fill(0.999);
    return advanced;
  }
}

const confidence = (position: number) => 0.5 + (position % 7) / 20;
const ASK = { alternatives: 2, prompt: false };

async function run(options: FakeModelOptions, overrides: Overrides) {
  const engine = new Engine(new BoldModel({ confidence, ...options }), new ByteTokenizer(), LIMITS);
  const { all, text, done } = await collect(engine.generate(request({ logprobs: ASK, ...overrides })));
  const tokens = all.flatMap((event): readonly TextToken[] => (event.type === 'block' ? event.tokens : []));
  const prompt = all.find((event) => event.type === 'prompt');
  return { text, done, tokens, prompt };
}

const texts = (tokens: readonly TextToken[]) => tokens.map(({ bytes }) => new TextDecoder().decode(bytes));

describe('tokens of a completion', () => {
  it.each([1, 4, 8])('have their causal probability under verification, blocks of %i', async (blockLength) => {
    const drafts = { draft: (position: number, id: number) => (position % 5 === 0 ? 65 : id) };
    const { text, tokens } = await run(drafts, { decoding: { verify: true, blockLength, threshold: 0.3 } });
    expect(texts(tokens).join('')).toBe(text);
    expect(tokens.map(({ prob }) => prob?.toFixed(3))).toEqual(
      tokens.map((_, i) => confidence('let x'.length + i).toFixed(3)),
    );
    expect(tokens.map(({ offset }) => offset)).toEqual(tokens.map((_, i) => i));
    for (const { bytes, prob, alternatives } of tokens) {
      expect(alternatives).toHaveLength(2);
      // The fake's greedy id is the most probable one.
      expect([alternatives[0]?.bytes, alternatives[0]?.prob]).toEqual([bytes, prob]);
    }
  });

  it('have that of their forward without verification', async () => {
    const { tokens, text } = await run({}, { decoding: { verify: false } });
    expect(texts(tokens).join('')).toBe(text);
    expect(tokens.some(({ prob }) => (prob ?? 0) > 0.99)).toBe(true);
  });

  it('end where a stop string cuts the text', async () => {
    const { text, tokens, done } = await run(saying('abcSTOPdef'), { stop: ['STOP'], decoding: { verify: true } });
    expect([text, texts(tokens).join(''), done.stopString]).toEqual(['abc', 'abc', 'STOP']);
  });

  it('count characters, not bytes, and keep the bytes of a part of one', async () => {
    const { text, tokens } = await run(saying('é😀x'), { decoding: { verify: true } });
    expect(text).toBe('é😀x');
    expect(tokens.map(({ bytes }) => bytes.length)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(tokens.map(({ offset }) => offset)).toEqual([0, 0, 1, 1, 1, 1, 2]);
  });

  it('come out even where the text ends inside a character', async () => {
    const { text, tokens } = await run(saying('a😀'), { maxTokens: 3, decoding: { verify: true } });
    expect([text, tokens.length]).toEqual(['a', 3]);
  });

  it('are not there unless asked for', async () => {
    const { tokens } = await run({}, { logprobs: null });
    expect(tokens).toEqual([]);
  });
});

describe('tokens of a prompt', () => {
  const both = { alternatives: 1, prompt: true };

  it('have the probability that the tokens before them give them', async () => {
    const { prompt, done } = await run(
      { next: () => 116, reuse: true },
      { logprobs: both, maxTokens: 0, prompt: 'att' },
    );
    if (prompt?.type !== 'prompt') throw new Error('no prompt event');
    expect(prompt.text).toBe('att');
    // The fake calls for a "t" everywhere.
    expect(prompt.tokens.map(({ prob }) => prob?.toFixed(3))).toEqual([
      undefined,
      confidence(1).toFixed(3),
      confidence(2).toFixed(3),
    ]);
    expect(prompt.tokens[0]?.prob).toBeNull();
    expect(done).toMatchObject({ finishReason: 'length', usage: { promptTokens: 3, completionTokens: 0 } });
  });

  it('are judged in chunks like any other, and never reused', async () => {
    const model = new FakeModel({ confidence, reuse: true });
    const engine = new Engine(model, new ByteTokenizer(), LIMITS);
    const long = request({ prompt: 'x'.repeat(200), maxTokens: 2 });
    await collect(engine.generate(long));
    const { all, done } = await collect(engine.generate({ ...long, logprobs: both }));
    const [prompt] = all;
    if (prompt?.type !== 'prompt') throw new Error('no prompt event');
    expect(prompt.tokens).toHaveLength(200);
    expect(done.usage.cachedTokens).toBe(0);
    expect(model.openCaches).toEqual([]);
  });

  it('an empty one has none', async () => {
    const { prompt, done } = await run({}, { logprobs: both, prompt: '', maxTokens: 1 });
    expect(prompt).toMatchObject({ text: '', tokens: [] });
    expect(done.usage.promptTokens).toBe(0);
  });
});

describe('a time limit', () => {
  const slow = { onForward: () => new Promise<void>((resolve) => setTimeout(resolve, 2)) };

  it('ends the text once it has a line break', async () => {
    const { text, done } = await run(
      { ...saying(`a\n${'b'.repeat(500)}`), ...slow },
      { maxTokens: 400, timeLimitMs: 1 },
    );
    expect(text.startsWith('a\n')).toBe(true);
    expect(text.length).toBeLessThan(100);
    expect(done).toMatchObject({ finishReason: 'length', stopString: null });
  });

  it('lets a first line be finished', async () => {
    const { text } = await run({ ...saying('b'.repeat(500)), ...slow }, { maxTokens: 50, timeLimitMs: 1 });
    expect(text).toHaveLength(50);
  });
});
