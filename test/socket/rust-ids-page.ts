/** Runs in the page: what of the tokenizers differs there. */
import { differences, type Expected, type TokenizerFile } from '../engine/tokenizer/rust-ids.ts';

declare global {
  var tokenizerDifferences: (name: string, path: string) => Promise<string[]>;
}

async function read<T>(path: string): Promise<T> {
  const response = await fetch(path);
  return response.json() as Promise<T>;
}

globalThis.tokenizerDifferences = async (name, path) => {
  const expected = await read<Readonly<Record<string, Expected>>>('/fixtures/expected.json');
  const texts = await read<Readonly<Record<string, string>>>('/fixtures/texts.json');
  return differences(await read<TokenizerFile>(path), expected[name]!, texts);
};
