/**
 * The matrix products of the default model on one thread. Own kernels, onnxruntime-web's and native onnxruntime's take
 * turns. Figures are medians over rounds; under `fastest` they are those of the fastest rounds.
 *
 * `gmacs` and `gmacs_int8` are the GEMMs alone. `gmacs` is int4 with the dot product that the probe chose, `gmacs_other_sums`
 * with the other one. In the ratios both sides start from float activations. The model runs on the int4 kernel:
 * `ratio_ort_int8` compares it with the fastest product of onnxruntime-web, `ratio_ort_int4` with the product of the same
 * weights. `ratio_int8_ort_int8` compares int8 with int8. `ratio_native` is the int4 product over native onnxruntime's at 32
 * rows, `ratio_native_1` at one row; both are null where that is absent.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web/wasm';
import { dotProduct } from '../../src/kernels/dot-product.ts';
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { Bench, randomFloats } from '../../test/support/engines/kernels.ts';
import { median, round } from '../median.ts';
import { npmPeer } from '../npm-peer.ts';
import { choice, size } from '../settings.ts';
import { sumKernel } from '../sum-kernel.ts';
import { dynamicQuantizeMatMul, matMulNBits } from './onnx-graph.ts';

/** [K, n] of the default model's layers and head. */
const SHAPES = [
  [576, 576],
  [576, 192],
  [576, 1536],
  [1536, 576],
  [576, 49152],
] as const;
const NATIVE = 'onnxruntime-node';
const ROWS = [1, 2, 4, 8, 16, 32] as const;
/** A round repeats a product for about this long. */
const ROUND_MS = 3;
const LARGEST = 576 * 49152;
/** Copies of the largest matrix. Together they are larger than the caches, as the weights of a forward are. */
const COPIES = 5;
const INT4_BYTES = 0.5 + 2 / 32;

/** May return a promise. */
type Product = () => unknown;

/** One figure for all rounds of a product. On a shared machine only the fastest round is steady. */
type Statistic = 'median' | 'fastest';
type Times<Name extends string> = Record<Name, Record<Statistic, number>>;

/** Milliseconds of one run of each product, the products taking turns. */
async function times<Name extends string>(products: { readonly [name in Name]?: Product }): Promise<Times<Name>> {
  const present = products as Record<Name, Product>;
  const names = Object.keys(products) as Name[];
  const repeats = {} as Record<Name, number>;
  const samples = {} as Record<Name, number[]>;
  for (const name of names) {
    await present[name]();
    const start = performance.now();
    await present[name]();
    repeats[name] = Math.max(1, Math.round(ROUND_MS / (performance.now() - start)));
    samples[name] = [];
  }
  for (let i = 0; i < size('BENCH_ROUNDS', 9); i++) {
    for (const name of names) {
      const start = performance.now();
      for (let j = 0; j < repeats[name]; j++) {
        const running = present[name]();
        if (running instanceof Promise) await running;
      }
      samples[name].push((performance.now() - start) / repeats[name]);
    }
  }
  const entries = names.map((name) => [name, { median: median(samples[name]), fastest: Math.min(...samples[name]) }]);
  return Object.fromEntries(entries) as Times<Name>;
}

/** Weights and activations at fixed addresses. Any bytes are valid weights, so nothing is repacked. */
class Operands {
  readonly bench = new Bench(kernelFlavour(), 180 << 20);
  readonly weights = this.bench.arena.take(COPIES * LARGEST * INT4_BYTES);
  readonly scales = this.bench.arena.take((LARGEST / 32) * 2);
  readonly x = this.bench.put(randomFloats(32 * 1536, 1));
  readonly q4 = this.bench.arena.take(32 * 48 * 72);
  /** Records for the dot product that was not chosen. */
  readonly q4Other = this.bench.arena.take(32 * 48 * 72);
  readonly q8 = this.bench.arena.take(32 * 48 * 72);
  readonly y = this.bench.arena.take(32 * 49152 * 4);
  readonly panel = this.bench.arena.take(13 * 1536);

  constructor() {
    const words = this.bench.arena.i32(this.weights, (COPIES * LARGEST * INT4_BYTES) / 4);
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 0x9e3779b1);
    this.bench.arena.bytes(this.scales, (LARGEST / 32) * 2).fill(0x20); // fp16 0.008
  }

  products(k: number, n: number, rows: number) {
    const { kernels } = this.bench;
    const { weights, scales, x, q4, q4Other, q8, y, panel } = this;
    const int4 = () => kernels.gemm_q8_q4(y, n, 0, q4, weights, scales, rows, n, k, 1, panel);
    /** Runs with the sums that the probe did not choose. Without relaxed SIMD there is only one kind. */
    const withOtherSums = (run: () => void) => {
      kernels.dot_sums_32.value ^= 1;
      run();
      kernels.dot_sums_32.value ^= 1;
    };
    const int4OtherSums = () =>
      withOtherSums(() => kernels.gemm_q8_q4(y, n, 0, q4Other, weights, scales, rows, n, k, 1, panel));
    const int8 = () => kernels.gemm_q8_q8(y, n, 0, q8, weights, scales, rows, n, k, 1);
    const quantize4 = () => kernels.quantize(q4, x, rows, k, 1, 0, 0, rows);
    const quantize8 = () => kernels.quantize(q8, x, rows, k, 1, 1, 0, rows);
    quantize4();
    withOtherSums(() => kernels.quantize(q4Other, x, rows, k, 1, 0, 0, rows));
    quantize8();
    return {
      int4,
      int4OtherSums,
      int8,
      int4FromFloats: () => {
        quantize4();
        int4();
      },
      int8FromFloats: () => {
        quantize8();
        int8();
      },
    };
  }

  /** Times of one row over all copies, and of adding up the same bytes. Neither fits the caches. */
  async bandwidth(): Promise<Times<'gemm' | 'sum'>> {
    const sum = await sumKernel(this.bench.arena.memory);
    const bytes = LARGEST * INT4_BYTES;
    const { kernels } = this.bench;
    kernels.quantize(this.q4, this.x, 1, 576, 1, 0, 0, 1);
    const copies = Array.from({ length: COPIES }, (_, i) => this.weights + i * bytes);
    return times({
      gemm: () => {
        for (const at of copies) {
          kernels.gemm_q8_q4(this.y, 49152, 0, this.q4, at, at + LARGEST / 2, 1, 49152, 576, 1, this.panel);
        }
      },
      sum: () => {
        for (const at of copies) sum(at, bytes);
      },
    });
  }
}

/** Native onnxruntime, whose interface is that of onnxruntime-web. */
type NativeOrt = Pick<typeof ort, 'InferenceSession' | 'Tensor'>;

/** Null where npm has no binary for this machine. The bench goes on and says why. */
async function openNativeOrt(): Promise<{ native: NativeOrt | null; absence: string | null }> {
  if (!choice('BENCH_PEERS', [NATIVE]).includes(NATIVE)) return { native: null, absence: 'not asked for' };
  try {
    const modules = await npmPeer(NATIVE, new URL('onnxruntime-node/', import.meta.url));
    const native = createRequire(join(modules, '/'))(NATIVE) as NativeOrt;
    return { native, absence: null };
  } catch (error) {
    const absence = error instanceof Error ? error.message : String(error);
    console.log(`without onnxruntime-node: ${absence}`);
    return { native: null, absence };
  }
}

/** The int4 product of native onnxruntime. */
async function openNativeProduct(native: NativeOrt, k: number, n: number) {
  const bytes = Uint8Array.from({ length: (n * k) / 2 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  const model = matMulNBits(n, k, bytes, new Float32Array((n * k) / 32).fill(0.01));
  const session = await native.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  return {
    products(rows: number) {
      const x = new native.Tensor('float32', randomFloats(rows * k, 2), [rows, k]);
      return { nativeInt4: () => session.run({ x }) };
    },
    close: () => session.release(),
  };
}

/** onnxruntime-web's products of one shape. */
async function openOrt(k: number, n: number) {
  const bytes = Uint8Array.from({ length: n * k }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  const scales = new Float32Array((n * k) / 32).fill(0.01);
  const int4 = await ort.InferenceSession.create(matMulNBits(n, k, bytes.subarray(0, (n * k) / 2), scales));
  const int8 = await ort.InferenceSession.create(dynamicQuantizeMatMul(n, k, bytes, 0.01));
  return {
    products(rows: number) {
      const x = new ort.Tensor('float32', randomFloats(rows * k, 2), [rows, k]);
      return { ortInt4: () => int4.run({ x }), ortInt8: () => int8.run({ x }) };
    },
    close: () => Promise.all([int4.release(), int8.release()]),
  };
}

interface Measured {
  readonly rows: number;
  readonly name: string;
  /** Multiply-accumulates in 10^9 a second. */
  readonly gmacs: Record<Statistic, number>;
}

function summary(measured: readonly Measured[], bandwidth: Times<'gemm' | 'sum'>, statistic: Statistic): object {
  const speeds = (name: string, rows: number) =>
    measured.filter((m) => m.name === name && m.rows === rows).map((m) => m.gmacs[statistic]);
  const byRows = (name: string) => Object.fromEntries(ROWS.map((rows) => [rows, round(median(speeds(name, rows)), 1)]));
  const ratio = (own: string, other: string, rows = 32) => {
    const theirs = speeds(other, rows);
    return round(median(speeds(own, rows).map((speed, i) => speed / theirs[i]!)));
  };
  const native = speeds('nativeInt4', 1).length > 0;
  const rate = (ms: number) => round((COPIES * LARGEST * INT4_BYTES) / ms / 1e6, 1);
  return {
    gmacs: byRows('int4'),
    gmacs_other_sums: byRows('int4OtherSums'),
    gmacs_int8: byRows('int8'),
    gmacs_ort_int4: byRows('ortInt4'),
    gmacs_ort_int8: byRows('ortInt8'),
    ratio_ort_int4: ratio('int4FromFloats', 'ortInt4'),
    ratio_ort_int8: ratio('int4FromFloats', 'ortInt8'),
    ratio_int8_ort_int8: ratio('int8FromFloats', 'ortInt8'),
    gmacs_native_int4: native ? byRows('nativeInt4') : null,
    ratio_native: native ? ratio('int4FromFloats', 'nativeInt4') : null,
    ratio_native_1: native ? ratio('int4FromFloats', 'nativeInt4', 1) : null,
    gb_per_s: rate(bandwidth.gemm[statistic]),
    sum_gb_per_s: rate(bandwidth.sum[statistic]),
  };
}

export async function run(): Promise<object> {
  ort.env.wasm.numThreads = 1;
  const { native, absence } = await openNativeOrt();
  const operands = new Operands();
  const measured: Measured[] = [];
  for (const [k, n] of SHAPES) {
    const session = await openOrt(k, n);
    const nativeSession = native && (await openNativeProduct(native, k, n));
    for (const rows of ROWS) {
      const ms = await times({
        ...operands.products(k, n, rows),
        ...session.products(rows),
        ...nativeSession?.products(rows),
      });
      const line = Object.entries(ms).map(([name, { median, fastest }]) => {
        const speed = (time: number) => (rows * n * k) / time / 1e6;
        const gmacs = { median: speed(median), fastest: speed(fastest) };
        measured.push({ rows, name, gmacs });
        return `${name} ${round(gmacs.median, 1)} (${round(gmacs.fastest, 1)})`;
      });
      console.log(`${k} -> ${n}, M = ${rows}, GMAC/s, median (fastest): ${line.join(', ')}`);
    }
    await session.close();
    await nativeSession?.close();
  }
  const bandwidth = await operands.bandwidth();
  return {
    ...summary(measured, bandwidth, 'median'),
    fastest: summary(measured, bandwidth, 'fastest'),
    flavour: kernelFlavour(),
    ...(absence && { native_absent: absence }),
    dot: dotProduct(operands.bench.kernels),
  };
}
