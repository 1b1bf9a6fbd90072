/** KV in int8: the kernels against the scalar oracle with the same rounding of K and V, and all builds against each other. */
import { describe, expect, test } from 'vitest';
import { Arena } from '../../src/kernels/arena.ts';
import { instantiateKernels, type KernelFlavour, type Kernels } from '../../src/kernels/kernels.ts';
import { attentionScratchBytes, pageBytes } from '../../src/model/workspace.ts';
import { attention, roundTripKv, roundTripQueries } from '../../src/reference/scalar.ts';
import {
  flavours,
  kernelModules,
  randomFloats,
  relativeError,
  sharedKernelModules,
} from '../support/engines/kernels.ts';

interface Shape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly d: number;
  readonly pageTokens: number;
}

/** What a page may hold where no token was written yet: bits of another request, NaN among the scales. */
const STALE = 0xff;
const LAYERS = 2;
const LAYER = 1;

/** Flavour, whether its memory is shared, and bits of a sum of products of bytes: absent, those of the processor. */
type Build = readonly [KernelFlavour, boolean, (16 | 32)?];

/** Pages of one sequence, filled in the order of the calls to `store`. */
class Sequence {
  readonly shape: Shape;
  readonly #kernels: Kernels;
  readonly #arena: Arena;
  readonly #pages: number;
  readonly #tokens: number;

  /** @param build with the length of its sums: of bytes, or of words, whatever suits this processor */
  constructor(build: Build, shape: Shape, tokens: number) {
    const [flavour, shared, sums] = build;
    this.shape = shape;
    this.#tokens = tokens;
    this.#arena = new Arena(48 << 20, shared);
    const modules = shared ? sharedKernelModules : kernelModules;
    this.#kernels = instantiateKernels(modules, this.#arena.memory, flavour);
    if (sums) this.#kernels.dot_sums_32.value = sums === 32 ? 1 : 0;
    const { kvHeads, d, pageTokens } = shape;
    const bytes = pageBytes({ numLayers: LAYERS, numKvHeads: kvHeads, headDim: d }, pageTokens, 'int8');
    const addresses = Array.from({ length: Math.ceil(tokens / pageTokens) }, () => {
      const page = this.#arena.take(bytes);
      this.#arena.bytes(page, bytes).fill(STALE);
      return page;
    });
    // Pages in no order: the table is what decides.
    this.#pages = this.#put(Int32Array.from(addresses.reverse()));
  }

  /** @param from first token; k and v (rows, kvHeads * d) */
  store(from: number, k: Float32Array, v: Float32Array): void {
    const { kvHeads, d, pageTokens } = this.shape;
    const width = kvHeads * d;
    const [keys, values] = [this.#put(k), this.#put(v)];
    this.#kernels.kv_store(this.#pages, LAYER, from, keys, values, width, k.length / width, kvHeads, d, pageTokens);
  }

  attend(q: Float32Array, visible: Int32Array): Float32Array {
    const { heads, kvHeads, d, pageTokens } = this.shape;
    const out = this.#arena.take(q.byteLength);
    this.#arena.f32(out, q.length).fill(-12345);
    const room = Math.ceil(this.#tokens / pageTokens) * pageTokens;
    const bytes = attentionScratchBytes(heads / kvHeads, d, room, pageTokens);
    const scratch = this.#arena.take(bytes + 64);
    this.#arena.bytes(scratch, bytes + 64).fill(STALE);
    const [queries, seen] = [this.#put(q), this.#put(visible)];
    this.#kernels.attention(
      out,
      queries,
      heads * d,
      seen,
      this.#pages,
      LAYER,
      visible.length,
      heads,
      kvHeads,
      d,
      pageTokens,
      scratch,
      0,
      kvHeads,
    );
    // Nothing is written past the scratch that the workspace plans.
    expect(this.#arena.bytes(scratch + bytes, 64).every((byte) => byte === STALE)).toBe(true);
    return this.#arena.f32(out, q.length).slice();
  }

  #put(array: Float32Array | Int32Array): number {
    const at = this.#arena.take(array.byteLength);
    this.#arena.bytes(at, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return at;
  }
}

// [rows, tokens before, heads, kvHeads, d, pageTokens]
const SHAPES = [
  [1, 0, 9, 3, 64, 8],
  [4, 13, 9, 3, 64, 8],
  [1, 1023, 9, 3, 64, 8],
  [8, 300, 9, 3, 64, 16],
  [64, 70, 9, 3, 64, 8],
  [3, 5, 4, 2, 16, 4],
  [2, 30, 2, 1, 128, 8],
  [5, 2, 4, 4, 32, 3],
  [3, 9, 14, 2, 64, 12],
  [2, 41, 8, 1, 80, 8],
  [7, 33, 8, 2, 96, 32],
  [2, 50, 16, 2, 128, 8],
  [3, 20, 5, 5, 256, 1],
  [1, 17, 7, 1, 48, 6],
] as const;

describe.each(SHAPES)('%i rows after %i tokens, %i heads on %i, d %i, pages of %i', (...sizes) => {
  const [rows, before, heads, kvHeads, d, pageTokens] = sizes;
  const shape = { heads, kvHeads, d, pageTokens };
  const tokens = before + rows;
  const width = kvHeads * d;
  const keys = randomFloats(tokens * width, 10, 3);
  const values = randomFloats(tokens * width, 11, 3);
  const q = randomFloats(rows * heads * d, 12, 2);
  const causal = Int32Array.from({ length: rows }, (_, r) => before + r + 1);
  const whole = new Int32Array(rows).fill(tokens);
  const filled = (build: Build) => {
    const sequence = new Sequence(build, shape, tokens);
    if (before > 0) sequence.store(0, keys.slice(0, before * width), values.slice(0, before * width));
    sequence.store(before, keys.slice(before * width), values.slice(before * width));
    return sequence;
  };

  test.each(flavours)('%s = the scalar oracle', (flavour) => {
    const sequence = filled([flavour, false]);
    for (const visible of [causal, whole]) {
      const expected = attention(
        roundTripQueries(q, d),
        roundTripKv(keys, d),
        roundTripKv(values, d),
        visible,
        heads,
        kvHeads,
        d,
        true,
      );
      expect(relativeError(sequence.attend(q, visible), expected)).toBeLessThan(1e-4);
    }
  });

  test('all four builds and both encodings give the same bits, and a row alone those that it has among others', () => {
    const expected = filled(['relaxed-simd', false]).attend(q, causal);
    for (const build of [
      ['relaxed-simd', false, 16],
      ['relaxed-simd', false, 32],
      ['simd', false],
      ['relaxed-simd', true],
      ['simd', true],
    ] as Build[]) {
      expect(filled(build).attend(q, causal)).toEqual(expected);
    }
    for (const flavour of flavours) {
      const sequence = filled([flavour, false]);
      for (let r = 0; r < rows; r += 5) {
        const row = q.slice(r * heads * d, (r + 1) * heads * d);
        const alone = sequence.attend(row, causal.slice(r, r + 1));
        expect(alone).toEqual(expected.slice(r * heads * d, (r + 1) * heads * d));
      }
    }
  });
});

test.each(flavours)('%s: far scores, equal scores, no V and no query', (flavour) => {
  const shape = { heads: 2, kvHeads: 1, d: 16, pageTokens: 8 };
  const tokens = 2500;
  // Every V is 127 of its scale and every weight the same: the sum that integers must hold is the largest.
  const sequence = new Sequence([flavour, false], shape, tokens);
  const keys = new Float32Array(tokens * 16);
  const values = new Float32Array(tokens * 16).fill(2);
  sequence.store(0, keys, values);
  const same = sequence.attend(new Float32Array(32).fill(3), Int32Array.of(tokens));
  expect(relativeError(same, new Float32Array(32).fill(2))).toBeLessThan(1e-5);
  // One key far ahead of all others: its V alone counts.
  keys.fill(50, 77 * 16, 78 * 16);
  values.fill(-7, 77 * 16, 78 * 16);
  sequence.store(0, keys, values);
  const ahead = sequence.attend(new Float32Array(32).fill(40), Int32Array.of(tokens));
  expect(relativeError(ahead, new Float32Array(32).fill(-7))).toBeLessThan(1e-6);
  // A query of zeros: the mean. V of zeros: zeros.
  const mean = sequence.attend(new Float32Array(32), Int32Array.of(tokens));
  expect(relativeError(mean, new Float32Array(32).fill(2 - 9 / tokens))).toBeLessThan(1e-4);
  sequence.store(0, keys, values.fill(0));
  expect(sequence.attend(randomFloats(32, 3), Int32Array.of(tokens))).toEqual(new Float32Array(32));
});
