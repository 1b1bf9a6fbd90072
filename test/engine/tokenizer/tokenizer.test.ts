import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, type Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { ModelLoadError } from '../../../src/model/errors.ts';
import { added, tokenizerJson } from './tokenizer-json.ts';

const json = tokenizerJson();
const tokenizer = loadTokenizer(json, added.mask);
const library = new HuggingFaceTokenizer(json, {});

function text(of: Tokenizer, ids: Int32Array): string {
  return Buffer.concat(Array.from(ids, (id) => of.bytes(id))).toString();
}

function randomTexts(count: number): string[] {
  const pool = [...'aeinrtu (){}=;<|>_\n\t 0123éï漢字😀', '<|endoftext|>', ' return', 'iiii', '\u00a0', "'s"];
  let seed = 5;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  return Array.from({ length: count }, () =>
    Array.from({ length: random(40) }, () => pool[random(pool.length)]).join(''),
  );
}

describe('encode', () => {
  it('gives the ids of the library, on code and on noise', () => {
    const code = 'function isPrime(n) {\n  return n % 12 === 0; // naïve 漢字\n}\n';
    for (const sample of [code, 'iiiiiiiiiii iiiii', '', ...randomTexts(500)]) {
      expect([...tokenizer.encode(sample, 'prompt')]).toEqual(library.encode(sample).ids);
    }
    expect(tokenizer.encode(code, 'prompt').length).toBeLessThan(0.7 * code.length);
  });

  it('reads merges written as strings', () => {
    const merges = json.model.merges.map((merge) => (merge as [string, string]).join(' '));
    const written = loadTokenizer({ ...json, model: { ...json.model, merges } }, added.mask);
    for (const sample of randomTexts(50))
      expect(written.encode(sample, 'prompt')).toEqual(tokenizer.encode(sample, 'prompt'));
  });

  it('turns the text of a special token into it, but never that of the mask', () => {
    const ids = tokenizer.encode('a<|endoftext|>b<|mask|>c', 'prompt');
    expect(ids).toContain(added.eos);
    expect(ids).not.toContain(added.mask);
    expect(text(tokenizer, ids)).toBe('ab<|mask|>c');
  });

  it('drops bytes that have no token', () => {
    const lacking = loadTokenizer(tokenizerJson(60, [4]), added.mask);
    expect(text(lacking, lacking.encode('re\x04turn', 'prompt'))).toBe('return');
    expect(lacking.encode('\x04', 'prompt').length).toBe(0);
  });

  it('stays fast on one very long word', () => {
    const start = performance.now();
    expect(tokenizer.encode('i'.repeat(50_000), 'prompt').length).toBeGreaterThan(5_000);
    // A quadratic merge takes a hundred times this.
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

describe('bytes', () => {
  it('puts every text back together', () => {
    for (const sample of randomTexts(200)) {
      expect(text(tokenizer, tokenizer.encode(sample, 'prompt'))).toBe(sample.replaceAll('<|endoftext|>', ''));
    }
  });

  it('has one token for each byte', () => {
    const singles = Array.from({ length: 256 }, (_, i) => [...tokenizer.bytes(3 + i)]);
    expect(singles).toEqual(Array.from({ length: 256 }, (_, i) => [i]));
  });

  it('is empty for special tokens and ids without a token, and the text of other added tokens', () => {
    for (const id of [added.eos, added.mask, 1_000_000, -1]) expect(tokenizer.bytes(id).length).toBe(0);
    expect([...tokenizer.bytes(added.tab)]).toEqual([9, 9]);
  });
});

describe('loadTokenizer', () => {
  const model = json.model;
  it.each([
    ['no object', null, 'expected object'],
    ['no model', { ...json, model: undefined }, 'model'],
    ['another kind', { ...json, model: { ...model, type: 'Unigram' } }, 'BPE'],
    ['byte fallback', { ...json, model: { ...model, byte_fallback: true } }, 'unsupported byte_fallback'],
    [
      'a prefix of subwords',
      { ...json, model: { ...model, continuing_subword_prefix: '##' } },
      'unsupported continuing_subword_prefix',
    ],
    ['a merge of no tokens', { ...json, model: { ...model, merges: ['zz qq'] } }, '"zz"'],
    ['a prototype property as token', { ...json, model: { ...model, merges: ['constructor x'] } }, '"constructor"'],
    ['tokens that are no bytes', { ...json, model: { ...model, vocab: { ...model.vocab, '▁a': 999 } } }, '"▁a"'],
  ])('refuses %s', (_, broken, message) => {
    expect(() => loadTokenizer(broken, added.mask)).toThrow(ModelLoadError);
    expect(() => loadTokenizer(broken, added.mask)).toThrow(message);
  });
});
