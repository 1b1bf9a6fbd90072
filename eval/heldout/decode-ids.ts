import type { Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';

/** Text of ids; special ones have none. */
export function decodeIds(tokenizer: Tokenizer, ids: Iterable<number>): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  for (const id of ids) text += decoder.decode(tokenizer.bytes(id), { stream: true });
  return text + decoder.decode();
}
