import { describe, expect, it } from 'vitest';
import { Detokenizer } from '../../../src/engine/tokenizer/detokenizer.ts';
import { ByteTokenizer, EOS } from '../../support/engines/byte-tokenizer.ts';

const tokenizer = new ByteTokenizer();

function pieces(ids: Iterable<number>): string[] {
  const detokenizer = new Detokenizer(tokenizer);
  return Array.from(ids, (id) => detokenizer.push(id));
}

describe('Detokenizer', () => {
  it('emits a character with its last byte', () => {
    expect(pieces(tokenizer.encode('aé漢😀'))).toEqual(['a', '', 'é', '', '', '漢', '', '', '', '😀']);
  });

  it('keeps a byte order mark and gives special tokens no text', () => {
    expect(pieces([...tokenizer.encode('\ufeffa'), EOS, 98]).join('')).toBe('\ufeffab');
  });

  it('replaces bytes that are no UTF-8 and goes on', () => {
    expect(pieces([0xff, 0x61, 0xe6, 0xbc, 0x62]).join('')).toBe('\ufffda\ufffdb');
  });

  it('never emits half a character at the end', () => {
    expect(pieces(tokenizer.encode('a😀').subarray(0, 4)).join('')).toBe('a');
  });
});
