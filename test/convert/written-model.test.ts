/** What the converter writes, a server loads; what a server refuses, the converter refuses. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConvertOptions, convert } from '../../src/convert/convert.ts';
import { decisions } from '../../src/convert/decisions.ts';
import { loadWrittenModel } from '../../src/convert/trial/written-model.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { CONFIG, TOKENIZER, temporaryDirectory, tinyTensors, writeCheckpoint } from './support/tiny-checkpoint.ts';

const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const { model } = TOKENIZER;

const options = async (changes: Partial<ConvertOptions> = {}): Promise<ConvertOptions> => {
  return { name: 'tiny', out: await temporaryDirectory(), dtype: 'f32', embedding: 'f32', semantics: {}, ...changes };
};
const withTokenizer = (json: object, others: Record<string, object> = {}) =>
  writeCheckpoint(CONFIG, tinyTensors(), { 'tokenizer.json': json, ...others });

describe('a tokenizer that a server loads', () => {
  it.each<[string, object, string, number[]]>([
    ['as it is', TOKENIZER, 'ab', [1, 2]],
    ['without a type', { ...TOKENIZER, model: { vocab: model.vocab, merges: [] } }, 'ab', [1, 2]],
    [
      'that takes whole words from its vocabulary',
      { ...TOKENIZER, model: { ...model, vocab: { ...model.vocab, aab: 4 }, ignore_merges: true } },
      'aab',
      [4],
    ],
    ['with a token for the unknown', { ...TOKENIZER, model: { ...model, unk_token: 'b' } }, 'axya', [1, 2, 2, 1]],
    [
      'with one for all that is unknown',
      { ...TOKENIZER, model: { ...model, unk_token: 'b', fuse_unk: true } },
      'axya',
      [1, 2, 1],
    ],
    [
      'with merges as pairs',
      { ...TOKENIZER, model: { ...model, vocab: { ...model.vocab, ab: 4 }, merges: [['a', 'b']] } },
      'ab',
      [4],
    ],
    [
      'with nulls for what it lacks',
      { ...TOKENIZER, normalizer: null, post_processor: null, truncation: null, padding: null, decoder: null },
      'ba',
      [2, 1],
    ],
    ['without added tokens', { pre_tokenizer: byteLevel, model, added_tokens: [] }, 'ba', [2, 1]],
  ])('is written: %s', async (_what, json, text, ids) => {
    const { directory } = await convert(await withTokenizer(json), await options());
    const written: unknown = JSON.parse(await readFile(join(directory, 'tokenizer.json'), 'utf8'));
    expect([...loadTokenizer(written, 3).encode(text, 'prompt')]).toEqual(ids);
  });
});

describe('a tokenizer that no server loads', () => {
  it.each<[string, object, string]>([
    [
      'Unigram',
      { ...TOKENIZER, model: { type: 'Unigram', unk_id: 0, vocab: [['a', -1]] } },
      'Unigram is not supported',
    ],
    ['WordPiece', { ...TOKENIZER, model: { type: 'WordPiece', vocab: { a: 0 } } }, 'WordPiece is not supported'],
    ['WordLevel', { ...TOKENIZER, model: { type: 'WordLevel', vocab: { a: 0 } } }, 'WordLevel is not supported'],
    ['byte fallback', { ...TOKENIZER, model: { ...model, byte_fallback: true } }, 'byte_fallback (SentencePiece)'],
    ['dropout', { ...TOKENIZER, model: { ...model, dropout: 0.1 } }, 'dropout'],
    [
      'a prefix of pieces',
      { ...TOKENIZER, model: { ...model, continuing_subword_prefix: '##' } },
      'continuing_subword_prefix',
    ],
    ['a suffix of words', { ...TOKENIZER, model: { ...model, end_of_word_suffix: '</w>' } }, 'end_of_word_suffix'],
    ['an unknown token that is none', { ...TOKENIZER, model: { ...model, unk_token: '<unk>' } }, '<unk>'],
    ['a normalizer', { ...TOKENIZER, normalizer: { type: 'Lowercase' } }, 'normalizer "Lowercase" is not supported'],
    ['Metaspace', { ...TOKENIZER, pre_tokenizer: { type: 'Metaspace' } }, 'pre_tokenizer "Metaspace" is not supported'],
    ['no pre-tokenizer', { added_tokens: [], model }, 'pre_tokenizer'],
    ['an end after every text', { ...TOKENIZER, post_processor: { type: 'BertProcessing' } }, 'post_processor'],
    [
      'whole words only',
      { ...TOKENIZER, added_tokens: [{ ...special, id: 0, content: 'x', single_word: true }] },
      'single_word',
    ],
    ['no merges', { ...TOKENIZER, model: { type: 'BPE', vocab: model.vocab } }, 'merges'],
    ['a merge of no tokens', { ...TOKENIZER, model: { ...model, merges: ['a x'] } }, 'merge'],
  ])('is refused, and nothing is left: %s', async (_what, json, message) => {
    const settings = await options();
    const converted = convert(await withTokenizer(json), settings);
    await expect(converted).rejects.toThrow(message);
    await expect(converted).rejects.toMatchObject({ name: 'ConversionError' });
    expect(await readdir(settings.out)).toEqual([]);
  });

  it('is refused: tokenizer.model alone', async () => {
    const source = await withTokenizer(TOKENIZER);
    await rm(join(source, 'tokenizer.json'));
    await writeFile(join(source, 'tokenizer.model'), 'sentencepiece');
    await expect(convert(source, await options())).rejects.toThrow(
      'tokenizer.model alone: SentencePiece is not supported',
    );
  });
});

describe('loadWrittenModel', () => {
  it.each<[string, string, (text: string) => string | null, RegExp]>([
    ['no manifest', 'manifest.json', () => null, /manifest\.json is missing/],
    [
      'a manifest of another format',
      'manifest.json',
      (text) => text.replace('weights-1', 'weights-9'),
      /manifest\.json: /,
    ],
    ['no configuration', 'config.json', () => null, /config\.json is missing/],
    [
      'a configuration with a field of none',
      'config.json',
      (text) => text.replace('{', '{"more": 1,'),
      /config\.json is not valid/,
    ],
    ['a tokenizer cut off', 'tokenizer.json', (text) => text.slice(0, -2), /tokenizer\.json/],
    ['a tokenizer of another kind', 'tokenizer.json', (text) => text.replace('BPE', 'Unigram'), /tokenizer\.json/],
  ])('refuses %s', async (_what, file, change, message) => {
    const { directory } = await convert(await writeCheckpoint(), await options());
    await loadWrittenModel(directory);
    const path = join(directory, file);
    const changed = change(await readFile(path, 'utf8'));
    if (changed === null) await rm(path);
    else await writeFile(path, changed);
    await expect(loadWrittenModel(directory)).rejects.toThrow(message);
  });

  it('runs before an old model is replaced', async () => {
    const settings = await options();
    const { directory } = await convert(await writeCheckpoint(), settings);
    const before = await readFile(join(directory, 'tokenizer.json'), 'utf8');
    await expect(
      convert(await withTokenizer({ ...TOKENIZER, normalizer: { type: 'Strip' } }), settings),
    ).rejects.toThrow();
    expect(await readFile(join(directory, 'tokenizer.json'), 'utf8')).toBe(before);
    expect(existsSync(join(directory, 'manifest.json'))).toBe(true);
  });
});

describe('a chat template', () => {
  const withTemplate = (chat_template: string) =>
    withTokenizer(TOKENIZER, { 'tokenizer_config.json': { chat_template } });

  it.each([
    ['{% for m in messages %}', 'renders no conversation'],
    ['{% if x %}{{ x }', 'renders no conversation'],
    ["{{ raise_exception('never') }}", 'never'],
    ['{{ messages | no_such_filter }}', 'no_such_filter'],
    ['{{ no_such_function() }}', 'renders no conversation'],
    ['{{ messages[0].content.no_such_method() }}', 'renders no conversation'],
    ['{% unknown %}', 'unknown'],
  ])('that renders nothing is refused, and nothing is left: %s', async (template, message) => {
    const settings = await options();
    const converted = convert(await withTemplate(template), settings);
    await expect(converted).rejects.toThrow(message);
    await expect(converted).rejects.toMatchObject({ name: 'ConversionError' });
    expect(await readdir(settings.out)).toEqual([]);
  });

  it.each([
    '{{ messages[0].content }}',
    "{% if messages[0].role != 'system' %}{{ raise_exception('no system message') }}{% endif %}{{ messages[1].content }}",
    "{% if messages[0].role == 'system' %}{{ raise_exception('a system message') }}{% endif %}{{ bos_token }}",
    "{% if messages | length < 3 %}{{ raise_exception('too short') }}{% endif %}{{ eos_token }}",
    "{% if messages | length < 4 %}{{ raise_exception('too short') }}{% endif %}{{ eos_token }}",
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] | trim }}\r\n{% endfor %}{% if add_generation_prompt %}A{% endif %}",
  ])('that renders one kind of conversation is kept: %s', async (template) => {
    const { config } = await convert(await withTemplate(template), await options());
    expect(config.chatTemplate?.template).toBe(template);
  });
});

it('decisions are one block that names ids and texts', async () => {
  const fim = ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'].map((content, i) => ({
    ...special,
    id: 4 + i,
    content,
  }));
  const json = { ...TOKENIZER, added_tokens: [...TOKENIZER.added_tokens, ...fim] };
  const source = await withTokenizer(json, { 'tokenizer_config.json': { chat_template: 'T' } });
  expect(
    decisions(await convert(source, await options({ semantics: { infillOrder: 'suffix_first' } }))).split('\n'),
  ).toEqual([
    'family    autoregressive (llama, tied LM head)',
    'dtype     f32, embedding and LM head f32',
    'context   block_causal, 128 tokens',
    'rope      theta 10000, not scaled',
    'shift     no: row i predicts i',
    'block     4 tokens from position zero, first token by denoise',
    'decoding  as this project does',
    'mask      3 <|mask|>',
    'start     0 <|endoftext|>',
    'ends      2 (no_mask_before)',
    'drafts    by the weights themselves',
    'template  1 characters',
    'infill    5 <fim_suffix> S 4 <fim_prefix> P 6 <fim_middle>',
  ]);
});
