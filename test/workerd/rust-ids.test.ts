/** The tokenizer in workerd, whose Unicode version is not Node's. */
import { describe, expect, it } from 'vitest';
import shipped from '../../models/seedling-135m/tokenizer.json';
import { differences, type Expected, type TokenizerFile } from '../engine/tokenizer/rust-ids.ts';
import expected from '../fixtures/tokenizers/expected.json';
import texts from '../fixtures/tokenizers/texts.json';

const small = import.meta.glob<TokenizerFile>('../fixtures/tokenizers/*.tokenizer.json', {
  eager: true,
  import: 'default',
});
const cases = expected as unknown as Readonly<Record<string, Expected>>;

describe('ids in workerd are those of the Rust library', () => {
  it('smollm2', () => {
    expect(differences(shipped, cases.smollm2!, texts)).toEqual([]);
  });

  it.each(Object.entries(small))('%s', (path, json) => {
    const name = /([^/]+)\.tokenizer\.json$/.exec(path)![1]!;
    expect(differences(json, cases[name]!, texts)).toEqual([]);
  });
});
