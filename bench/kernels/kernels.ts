/**
 * The matrix products of the default model on one thread. Own kernels and onnxruntime-web's take turns. Figures are medians
 * over rounds; under `fastest` they are those of the fastest rounds.
 *
 * `gmacs` and `gmacs_int8` are the GEMMs alone. In the ratios both sides start from float activations. The model runs on
 * the int4 kernel: `ratio_ort_int8` compares it with the fastest product of onnxruntime-web, `ratio_ort_int4` with the
 * product of the same weights. `ratio_int8_ort_int8` compares int8 with int8.
 */
import * as ort from 'onnxruntime-web/wasm';
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { Bench, randomFloats } from '../../test/support/engines/kernels.ts';
import { median, round } from '../median.ts';
import { size } from '../settings.ts';
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
async function times<Name extends string>(products: Record<Name, Product>): Promise<Times<Name>> {
  const names = Object.keys(products) as Name[];
  const repeats = {} as Record<Name, number>;
  const samples = {} as Record<Name, number[]>;
  for (const name of names) {
    await products[name]();
    const start = performance.now();
    await products[name]();
    repeats[name] = Math.max(1, Math.round(ROUND_MS / (performance.now() - start)));
    samples[name] = [];
  }
  for (let i = 0; i < size('BENCH_ROUNDS', 9); i++) {
    for (const name of names) {
      const start = performance.now();
      for (let j = 0; j < repeats[name]; j++) {
        const running = products[name]();
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
    const { weights, scales, x, q4, q8, y, panel } = this;
    const int4 = () => kernels.gemm_q8_q4(y, n, 0, q4, weights, scales, rows, n, k, 1, panel);
    const int8 = () => kernels.gemm_q8_q8(y, n, 0, q8, weights, scales, rows, n, k, 1);
    const quantize4 = () => kernels.quantize(q4, x, rows, k, 1, 0);
    const quantize8 = () => kernels.quantize(q8, x, rows, k, 1, 1);
    quantize4();
    quantize8();
    return {
      int4,
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
    kernels.quantize(this.q4, this.x, 1, 576, 1, 0);
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
  const ratio = (own: string, other: string) => {
    const theirs = speeds(other, 32);
    return round(median(speeds(own, 32).map((speed, i) => speed / theirs[i]!)));
  };
  const rate = (ms: number) => round((COPIES * LARGEST * INT4_BYTES) / ms / 1e6, 1);
  return {
    gmacs: byRows('int4'),
    gmacs_int8: byRows('int8'),
    gmacs_ort_int4: byRows('ortInt4'),
    gmacs_ort_int8: byRows('ortInt8'),
    ratio_ort_int4: ratio('int4FromFloats', 'ortInt4'),
    ratio_ort_int8: ratio('int4FromFloats', 'ortInt8'),
    ratio_int8_ort_int8: ratio('int8FromFloats', 'ortInt8'),
    gb_per_s: rate(bandwidth.gemm[statistic]),
    sum_gb_per_s: rate(bandwidth.sum[statistic]),
  };
}

export async function run(): Promise<object> {
  ort.env.wasm.numThreads = 1;
  const operands = new Operands();
  const measured: Measured[] = [];
  for (const [k, n] of SHAPES) {
    const session = await openOrt(k, n);
    for (const rows of ROWS) {
      const ms = await times({ ...operands.products(k, n, rows), ...session.products(rows) });
      const line = Object.entries(ms).map(([name, { median, fastest }]) => {
        const speed = (time: number) => (rows * n * k) / time / 1e6;
        const gmacs = { median: speed(median), fastest: speed(fastest) };
        measured.push({ rows, name, gmacs });
        return `${name} ${round(gmacs.median, 1)} (${round(gmacs.fastest, 1)})`;
      });
      console.log(`${k} -> ${n}, M = ${rows}, GMAC/s, median (fastest): ${line.join(', ')}`);
    }
    await session.close();
  }
  const bandwidth = await operands.bandwidth();
  return {
    ...summary(measured, bandwidth, 'median'),
    fastest: summary(measured, bandwidth, 'fastest'),
    flavour: kernelFlavour(),
  };
}
