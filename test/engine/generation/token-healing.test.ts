import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { healPrompt, withoutBeginning } from '../../../src/engine/generation/token-healing.ts';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { BYTE_VOCAB_SIZE, ByteTokenizer, EOS } from '../../support/engines/byte-tokenizer.ts';
import { FakeModel } from '../../support/engines/fake-model.ts';
import { collect, LIMITS, type Overrides, request } from '../requests.ts';

const WORDS = ['\n   ', ' return', '\n\n', ' re', '  '].map((word) => new TextEncoder().encode(word));
const [INDENT, RETURN, LINES, RE, SPACES] = WORDS.map((_, i) => BYTE_VOCAB_SIZE + i) as [
  number,
  number,
  number,
  number,
  number,
];
const [LINE, SPACE] = [0x0a, 0x20];

const beginsWith = (bytes: Uint8Array, beginning: Uint8Array) => beginning.every((byte, i) => bytes[i] === byte);

/** Bytes and a few words; the longest one first, from the left. */
class WordTokenizer extends ByteTokenizer {
  override encode(text: string): Int32Array {
    const ids: number[] = [];
    for (let rest = new TextEncoder().encode(text); rest.length > 0; ) {
      const word = WORDS.findIndex((word) => beginsWith(rest, word));
      ids.push(word < 0 ? rest[0]! : BYTE_VOCAB_SIZE + word);
      rest = rest.subarray(word < 0 ? 1 : WORDS[word]!.length);
    }
    return Int32Array.from(ids);
  }

  override bytes(id: number): Uint8Array {
    return WORDS[id - BYTE_VOCAB_SIZE] ?? super.bytes(id);
  }

  override beginningWith(bytes: Uint8Array): Int32Array {
    const words = WORDS.flatMap((word, i) => (beginsWith(word, bytes) ? [BYTE_VOCAB_SIZE + i] : []));
    return Int32Array.of(...super.beginningWith(bytes), ...words);
  }
}

const tokenizer = new WordTokenizer();

/** `tests/test_infill.py` of the recipe reads the same file. */
const FIXTURE: { text: string; kept: number[]; begins: string }[] = JSON.parse(
  readFileSync('test/fixtures/token-healing.json', 'utf8'),
);
const real = loadTokenizer(JSON.parse(readFileSync('models/seedling-135m/tokenizer.json', 'utf8')), 16);
const heal = (text: string) => {
  const { ids, beginning } = healPrompt(text, tokenizer.encode(text), 'prompt', tokenizer);
  const text_ = beginning && new TextDecoder().decode(beginning.bytes);
  return { ids: [...ids], begins: text_, allowed: beginning ? [...beginning.lift.ids] : [] };
};

describe('the end of a prompt', () => {
  it.each([
    ['x\n    ', ['x'.charCodeAt(0), INDENT], ' ', [SPACE, RETURN, RE, SPACES]], // of the spaces only the last
    ['x\n', ['x'.charCodeAt(0)], '\n', [LINE, INDENT, LINES]],
    ['x re', ['x'.charCodeAt(0)], ' re', [RETURN, RE]],
    ['\n', [], '\n', [LINE, INDENT, LINES]],
  ])('%j is taken back where another token begins so', (text, ids, begins, allowed) => {
    expect(heal(text)).toEqual({ ids, begins, allowed });
  });

  it.each(['', 'x', 'x return', 'é', '日'])('%j stays', (text) => {
    expect(heal(text)).toEqual({ ids: [...tokenizer.encode(text)], begins: null, allowed: [] });
  });

  it.each(FIXTURE)('$text of the default model is cut as in its training', ({ text, kept, begins }) => {
    const { ids, beginning } = healPrompt(text, real.encode(text, 'prompt'), 'prompt', real);
    expect([...ids]).toEqual(kept);
    expect(new TextDecoder().decode(beginning?.bytes)).toBe(begins);
    for (const id of beginning?.lift.ids ?? []) {
      expect(withoutBeginning(real.bytes(id), beginning!.bytes)).not.toBeNull();
    }
  });

  it('is not written again', () => {
    const bytes = new TextEncoder().encode(' return');
    expect(withoutBeginning(bytes, Uint8Array.of(SPACE))).toEqual(new TextEncoder().encode('return'));
    expect(withoutBeginning(bytes, Uint8Array.of(LINE))).toBeNull();
    expect(withoutBeginning(Uint8Array.of(), Uint8Array.of(LINE))).toBeNull();
  });
});

const INFILL = { prefix: 264, suffix: 265, middle: 266, end: 267, order: 'suffix_first' } as const;

/** Says these ids after the prompt, then ends. */
async function run(said: readonly number[], promptTokens: number, overrides: Overrides) {
  const next = (prefix: readonly number[]) => said[prefix.length - promptTokens] ?? EOS;
  const model = new FakeModel({ next, config: { vocabSize: 270, infill: INFILL } });
  const result = await collect(new Engine(model, tokenizer, LIMITS).generate(request(overrides)));
  const steps = result.all.flatMap((event) => (event.type === 'step' ? event.texts : []));
  return { ...result, steps, first: model.forwards[0]?.ids };
}

describe('a prompt that ends inside a token', () => {
  const prompt = 'x\n    ';
  const ids = ['x'.charCodeAt(0), INDENT];

  test.each([false, true])('is gone on from as if it did not, verified: %s', async (verify) => {
    const { text, steps, first, done } = await run([RETURN, 'y'.charCodeAt(0)], 2, { prompt, decoding: { verify } });
    expect(first).toEqual(ids);
    expect(text).toBe('returny');
    expect(steps.slice(0, 2)).toEqual(['return', 'y']);
    expect(done.usage).toMatchObject({ promptTokens: 3, completionTokens: 2 });
  });

  test('goes on with nothing that begins otherwise, whatever the model says', async () => {
    const { text, done } = await run(['y'.charCodeAt(0), 'z'.charCodeAt(0)], 2, { prompt });
    // The lowest id of those that begin with a space is the space alone.
    expect(text).toBe('z');
    expect(done.usage.completionTokens).toBe(2);
  });

  test('keeps its bias', async () => {
    const logitRules = { frequencyPenalty: 0, presencePenalty: 0, logitBias: new Map([[RE, 20]]) };
    const { text } = await run([RETURN], 2, { prompt, logitRules, maxTokens: 1 });
    expect(text).toBe('re');
  });

  test('has tokens that begin where it ends', async () => {
    const logprobs = { alternatives: 2, prompt: false };
    const { all } = await run([RETURN, 'y'.charCodeAt(0)], 2, { prompt, logprobs });
    const tokens = all.flatMap((event) => (event.type === 'block' ? event.tokens : []));
    expect(tokens.map(({ bytes, offset }) => [new TextDecoder().decode(bytes), offset])).toEqual([
      ['return', 0],
      ['y', 6],
    ]);
    // The second best, id 0, does not begin with a space.
    expect(tokens.map(({ alternatives }) => alternatives.length)).toEqual([1, 2]);
  });

  test('frames a hole that begins with its last token', async () => {
    const { text, first } = await run([RETURN, INFILL.end], 6, { prompt, suffix: ';' });
    expect(first).toEqual([INFILL.suffix, ';'.charCodeAt(0), INFILL.prefix, ...ids, INFILL.middle]);
    expect(text).toBe('return');
  });

  test.each([
    ['a line break', '\n', 1],
    ['one word', ' re', 1],
    ['one blank', ' ', 1],
    ['nothing', '', 0],
    ['a token that stays', 'x', 1],
    ['two tokens', 'x\n', 2],
    ['two tokens, the second a word', 'x re', 2],
  ])('counts all that was sent: %s', async (_what, prompt, tokens) => {
    const { done } = await run([], 0, { prompt });
    expect(done.usage.promptTokens).toBe(tokens);
    expect(tokenizer.encode(prompt).length).toBe(tokens);
  });

  test.each(['\n', 'x re'])('counts all that was sent around a hole: %j', async (prompt) => {
    const { done } = await run([], 0, { prompt, context: 'xx', suffix: ';;' });
    // Three markers, a separator, two tokens each of context and suffix.
    expect(done.usage.promptTokens).toBe(3 + 1 + 4 + tokenizer.encode(prompt).length);
  });

  test.each([
    ['asked not to', { prompt, tokenHealing: false }],
    ['given as ids', { prompt: tokenizer.encode(prompt) }],
    ['whose tokens are asked for', { prompt, logprobs: { alternatives: 0, prompt: true } }],
    ['that is only run', { prompt, maxTokens: 0 }],
  ])('stays as it is: one %s', async (_which, overrides) => {
    const { done } = await run(['y'.charCodeAt(0)], 3, overrides);
    expect(done.usage.promptTokens).toBe(3);
  });
});
