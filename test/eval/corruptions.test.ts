import { describe, expect, it } from 'vitest';
import { corrupt, corruptions } from '../../eval/clean/corruptions.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';

const TEXT = 'function add(a, b) {\n  return a + b;\n}\n';

describe.each(corruptions)('%s', (kind) => {
  it('changes one token that is not blank, away from the ends, and says where', () => {
    const changed = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { text, start, end, was, is } = corrupt(TEXT, new ByteTokenizer(), kind, seed)!;
      expect(text).toBe(TEXT.slice(0, start) + is + TEXT.slice(start + was.length));
      expect([was.length, is.length]).toEqual({ substitution: [1, 1], insertion: [0, 1], deletion: [1, 0] }[kind]);
      expect(text).not.toBe(TEXT);
      expect(text.slice(start, end)).toBe(is);
      expect(was + is).not.toMatch(/\s/);
      expect(start).toBeGreaterThanOrEqual(4);
      expect(start + was.length).toBeLessThanOrEqual(TEXT.length - 4);
      changed.add(text);
    }
    expect(changed.size).toBeGreaterThan(10);
    expect(corrupt(TEXT, new ByteTokenizer(), kind, 7)).toEqual(corrupt(TEXT, new ByteTokenizer(), kind, 7));
  });

  it('needs two different tokens', () => {
    expect(corrupt('const aaaa = 1', new ByteTokenizer(), kind, 1)).not.toBeNull();
    expect(corrupt('        aaaa        ', new ByteTokenizer(), kind, 1)).toBeNull();
  });
});
