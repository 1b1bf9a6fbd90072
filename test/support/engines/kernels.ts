/** Both builds of the kernels, with an arena to lay operands out in. */
import { readFile } from 'node:fs/promises';
import { Arena } from '../../../src/kernels/arena.ts';
import {
  instantiateKernels,
  type KernelFlavour,
  type KernelModules,
  type Kernels,
} from '../../../src/kernels/kernels.ts';

const compile = async (file: string) =>
  WebAssembly.compile(await readFile(new URL(`../../../build/${file}`, import.meta.url)));

export const kernelModules: KernelModules = {
  relaxed: await compile('kernels-relaxed.wasm'),
  simd: await compile('kernels-simd.wasm'),
};

export const sharedKernelModules: KernelModules = {
  relaxed: await compile('kernels-relaxed-shared.wasm'),
  simd: await compile('kernels-simd-shared.wasm'),
};

export const flavours: readonly KernelFlavour[] = ['relaxed-simd', 'simd'];

export class Bench {
  readonly kernels: Kernels;
  readonly arena: Arena;

  /** @param sums bits of the sums of int4 products; absent: those that the probe chooses. Plain SIMD has one kind. */
  constructor(flavour: KernelFlavour, bytes = 64 << 20, sums?: 16 | 32) {
    this.arena = new Arena(bytes);
    this.kernels = instantiateKernels(kernelModules, this.arena.memory, flavour);
    if (sums) this.kernels.dot_sums_32.value = sums === 32 ? 1 : 0;
  }

  /** Copies an array into fresh memory; returns its address. */
  put(array: Float32Array | Int32Array | Uint8Array | Uint16Array | Int8Array): number {
    const address = this.arena.take(array.byteLength);
    this.arena.bytes(address, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return address;
  }

  /** Fresh floats, filled with a value that no kernel computes, so that unwritten elements show. */
  floats(length: number): number {
    const address = this.arena.take(length * 4);
    this.arena.f32(address, length).fill(-12345);
    return address;
  }

  f32(address: number, length: number): Float32Array {
    return this.arena.f32(address, length).slice();
  }
}

/** Deterministic numbers in (-1, 1), mulberry32. */
export function randomFloats(length: number, seed: number, scale = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((((t ^ (t >>> 14)) >>> 0) / 4294967296) * 2 - 1) * scale;
  });
}

export function randomBytes(length: number, seed: number): Uint8Array {
  return Uint8Array.from(randomFloats(length, seed), (x) => Math.floor((x + 1) * 128));
}

/** fp16 bits of small positive and negative scales, subnormals among them. */
export function randomHalves(length: number, seed: number): Uint16Array {
  return Uint16Array.from(randomFloats(length, seed), (x, i) => {
    if (i % 17 === 0) return 0;
    if (i % 19 === 0) return 3; // subnormal
    const magnitude = 0x2000 + Math.floor(Math.abs(x) * 0x0800); // about 0.008 to 0.03
    return x < 0 ? magnitude | 0x8000 : magnitude;
  });
}

/** Largest |a - b| over the largest |b|. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length}, ${b.length}`);
  let error = 0;
  let largest = 1e-30;
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
    if (Number.isNaN(difference)) return Number.NaN;
    error = Math.max(error, difference);
    largest = Math.max(largest, Math.abs(b[i] ?? 0));
  }
  return error / largest;
}
