/** The limits of one core of this host for any kernel: bytes of memory and int8 products a second. */
import asc from 'assemblyscript/asc';
import { sumKernel } from '../sum-kernel.ts';

/**
 * The heart of the int4 kernel, again and again: two weight vectors of the first-level cache against four rows of
 * activations in registers, each product added to a sum of its own.
 */
const SOURCE = `
export function multiply(from: usize, times: i32): i32 {
  const w = v128.load(from), x = v128.load(from, 16), y = v128.load(from, 32), z = v128.load(from, 48);
  let a = i16x8.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  for (let i = 0; i < times; i++) {
    const at = from + ((i & 63) << 5);
    const p = v128.load(at), q = v128.load(at, 16);
    a = i16x8.add(a, i16x8.relaxed_dot_i8x16_i7x16_s(w, p));
    b = i16x8.add(b, i16x8.relaxed_dot_i8x16_i7x16_s(x, p));
    c = i16x8.add(c, i16x8.relaxed_dot_i8x16_i7x16_s(y, p));
    d = i16x8.add(d, i16x8.relaxed_dot_i8x16_i7x16_s(z, p));
    e = i16x8.add(e, i16x8.relaxed_dot_i8x16_i7x16_s(w, q));
    f = i16x8.add(f, i16x8.relaxed_dot_i8x16_i7x16_s(x, q));
    g = i16x8.add(g, i16x8.relaxed_dot_i8x16_i7x16_s(y, q));
    h = i16x8.add(h, i16x8.relaxed_dot_i8x16_i7x16_s(z, q));
  }
  return fold(a, b, c, d, e, f, g, h);
}

// @ts-ignore: decorator
@inline
function fold(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128): i32 {
  const low = v128.xor(v128.xor(a, b), v128.xor(c, d));
  const all = v128.xor(low, v128.xor(v128.xor(e, f), v128.xor(g, h)));
  return i32x4.extract_lane(all, 0) ^ i32x4.extract_lane(all, 1) ^ i32x4.extract_lane(all, 2) ^ i32x4.extract_lane(all, 3);
}
`;
const PRODUCTS_PER_TURN = 8 * 16;
const TURNS = 4_000_000;
const START = 65_536;

type Sum = Awaited<ReturnType<typeof sumKernel>>;
type Multiply = (from: number, times: number) => number;

export class Probe {
  readonly #sum: Sum;
  readonly #multiply: Multiply;
  readonly #bytes: number;

  /** @param bytes to stream: as many as a forward reads, so that caches help as much as there. */
  static async create(bytes: number): Promise<Probe> {
    const { error, binary, stderr } = await asc.compileString(SOURCE, {
      runtime: 'stub',
      importMemory: true,
      optimizeLevel: 3,
      enable: ['simd', 'relaxed-simd'],
    });
    if (error || !binary) throw error ?? new Error(stderr.toString());
    const whole = Math.ceil(bytes / 64) * 64;
    const memory = new WebAssembly.Memory({ initial: Math.ceil((START + whole) / 65_536) });
    // All pages that were never written are the same page of zeros, which a cache would hold.
    new Uint8Array(memory.buffer).fill(3);
    const { instance } = await WebAssembly.instantiate(new Uint8Array(binary), { env: { memory, abort: () => {} } });
    return new Probe(await sumKernel(memory), instance.exports.multiply as Multiply, whole);
  }

  private constructor(sum: Sum, multiply: Multiply, bytes: number) {
    this.#sum = sum;
    this.#multiply = multiply;
    this.#bytes = bytes;
  }

  /** GB/s of one pass over the bytes. */
  bandwidth(): number {
    const start = performance.now();
    this.#sum(START, this.#bytes);
    return this.#bytes / (performance.now() - start) / 1e6;
  }

  /** GMAC/s of int8 products in the registers. */
  products(): number {
    const start = performance.now();
    this.#multiply(START, TURNS);
    return (TURNS * PRODUCTS_PER_TURN) / (performance.now() - start) / 1e6;
  }
}
