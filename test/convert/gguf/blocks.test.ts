/// <reference lib="esnext.float16" />
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { GGUF_TYPES } from '../../../src/convert/gguf/blocks.ts';

const half = (...values: number[]) => [...new Uint8Array(Float16Array.from(values).buffer)];

function decode(name: string, bytes: number[], length: number): number[] {
  const type = [...GGUF_TYPES.values()].find((candidate) => candidate.name === name)!;
  expect(type.rowBytes(length)).toBe(bytes.length);
  const out = new Float32Array(length);
  type.decode(Uint8Array.from(bytes), out);
  return [...out];
}

/** Weight i has code i % 16 in the low nibbles and 15 - i % 16 in the high ones. */
const nibbles = Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4));

describe('GGUF types', () => {
  it('Q4_0 is d * (q - 8), high nibbles being the second half', () => {
    const values = decode('Q4_0', [...half(0.5), ...nibbles, ...half(-2), ...nibbles], 64);
    const codes = [...Array(16).keys()].flatMap((i) => i - 8);
    const block = [...codes, ...[...codes].reverse()];
    expect(values).toEqual([...block.map((level) => level * 0.5), ...block.map((level) => level * -2)]);
  });

  it('Q4_1 is d * q + m', () => {
    const values = decode('Q4_1', [...half(0.25, -1.5), ...nibbles], 32);
    const codes = [...Array(16).keys()];
    expect(values).toEqual([...codes, ...[...codes].reverse()].map((q) => q * 0.25 - 1.5));
  });

  it('Q8_0 is d * q', () => {
    const codes = Array.from({ length: 32 }, (_, i) => (i - 16) * 8);
    const values = decode('Q8_0', [...half(0.125), ...codes.map((q) => q & 255)], 32);
    expect(values).toEqual(codes.map((q) => q * 0.125));
  });

  it('F16 and BF16 are exact', () => {
    const values = [1, -0.5, 65504, 2 ** -24, 0];
    expect(decode('F16', half(...values), 5)).toEqual(values);
    // The upper halves of float32.
    expect(decode('BF16', [0x80, 0x3f, 0x20, 0xc0, 0x62, 0x7f], 3)).toEqual([1, -2.5, 1.765625 * 2 ** 127]);
  });
});

/** `python -m recipe gguf-types` writes it. */
const cases = JSON.parse(
  await readFile(new URL('../../fixtures/gguf-types.json', import.meta.url), 'utf8'),
) as readonly { type: string; number: number; bytes: string; float32: string }[];

describe('float32 of the gguf package', () => {
  it.each(cases.map((entry, i) => [entry.type, i % 3, entry] as const))(
    'is the same bit by bit: %s, %i',
    (name, _i, { number, bytes, float32 }) => {
      const type = GGUF_TYPES.get(number)!;
      expect(type.name).toBe(name);
      const expected = Buffer.from(float32, 'base64');
      const stored = Uint8Array.from(Buffer.from(bytes, 'base64'));
      const length = expected.length / 4;
      expect(length % type.block).toBe(0);
      expect(type.rowBytes(length)).toBe(stored.length);
      const out = new Float32Array(length);
      type.decode(stored, out);
      expect(Buffer.from(out.buffer).equals(expected)).toBe(true);
    },
  );

  it('covers every type that is read, F32 aside', () => {
    expect([...new Set(cases.map(({ type }) => type)), 'F32'].sort()).toEqual(
      [...GGUF_TYPES.values()].map(({ name }) => name).sort(),
    );
  });
});
