/** `python -m recipe added-tokens` writes the fixture: what transformers makes of the files of a tokenizer. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readHfTokenizer } from '../../../src/convert/hf/tokenizer.ts';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';

type Json = Record<string, unknown>;
interface Case {
  readonly files: { readonly 'tokenizer.json': { readonly model: { readonly vocab: Record<string, number> } } & Json };
  readonly added: readonly Json[];
  readonly ids: Readonly<Record<string, readonly number[]>>;
}

const fixture = new URL('../../fixtures/added-tokens.json', import.meta.url);
const { vocabulary, cases } = JSON.parse(await readFile(fixture, 'utf8')) as {
  vocabulary: Record<string, number>;
  cases: Record<string, Case>;
};
const NO_MASK = 1000;

/** @param rows of the embedding */
async function read({ files }: Case, rows = 300) {
  const directory = await mkdtemp(join(tmpdir(), 'seedling-added-'));
  const { model, ...rules } = files['tokenizer.json'];
  const json = { ...rules, model: { ...model, vocab: { ...vocabulary, ...model.vocab } } };
  for (const [file, content] of Object.entries({ ...files, 'tokenizer.json': json })) {
    await writeFile(join(directory, file), JSON.stringify(content));
  }
  return readHfTokenizer(directory, undefined, rows);
}

describe('the tokenizer that is written', () => {
  it.each(Object.entries(cases))('has the added tokens of transformers: %s', async (_name, example) => {
    const { json, addedTokens } = await read(example);
    expect(json.added_tokens).toEqual(example.added);
    for (const { content, id } of example.added) expect(addedTokens.get(content as string)).toBe(id);
  });

  it.each(Object.entries(cases))('gives the ids of transformers to a raw prompt: %s', async (_name, example) => {
    const tokenizer = loadTokenizer((await read(example)).json, NO_MASK);
    const ids = Object.keys(example.ids).map((text) => [text, [...tokenizer.encode(text, 'prompt')]]);
    expect(Object.fromEntries(ids)).toEqual(example.ids);
  });

  it.each([
    ['named', 257],
    ['further', 258],
    ['further, and named', 258],
  ])('has no token without a row that is only named: %s', async (name, rows) => {
    const { json } = await read(cases[name]!, rows);
    expect(json.added_tokens).toEqual(cases[name]!.added.filter(({ id }) => (id as number) < rows));
  });
});
