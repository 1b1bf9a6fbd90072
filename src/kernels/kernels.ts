/**
 * Types and instances of the kernels in `wasm/`: one function per kernel, on one memory. Arguments are byte addresses and
 * element counts. The file of each kernel in `wasm/` states shapes and layouts.
 */

/** Exports of `wasm/index.ts`. `ld` arguments are row strides in floats. */
export interface Kernels {
  /** What the engine makes of the relaxed dot product: `dotProduct` reads it. */
  probe_dot(): number;
  /** 1 where int4 products use sums of 32 bits: the probe decides at instantiation. Only tests and benches set it. */
  readonly dot_sums_32: WebAssembly.Global<'i32'>;
  quantize(q: number, x: number, rows: number, k: number, limbs: number, words: number, from: number, to: number): void;
  rms_norm_quantize(
    q: number,
    x: number,
    w: number,
    rows: number,
    d: number,
    eps: number,
    limbs: number,
    words: number,
    from: number,
    to: number,
  ): void;
  swiglu_quantize(
    q: number,
    gateUp: number,
    rows: number,
    n: number,
    limbs: number,
    words: number,
    from: number,
    to: number,
  ): void;
  gemm_q8_q4(
    y: number,
    ldy: number,
    accumulate: number,
    q: number,
    w: number,
    wscale: number,
    rows: number,
    n: number,
    k: number,
    limbs: number,
    panel: number,
  ): void;
  gemm_q8_q8(
    y: number,
    ldy: number,
    accumulate: number,
    q: number,
    w: number,
    wscale: number,
    rows: number,
    n: number,
    k: number,
    limbs: number,
  ): void;
  gemm_f32(y: number, ldy: number, accumulate: number, x: number, w: number, rows: number, n: number, k: number): void;
  repack_q4(data: number, scales: number, rows: number, k: number, panel: number): void;
  repack_q8(data: number, scales: number, rows: number, k: number, panel: number): void;
  embed_q4(y: number, w: number, wscale: number, row: number, rows: number, k: number): void;
  embed_q8(y: number, w: number, wscale: number, row: number, rows: number, k: number): void;
  rms_norm(y: number, x: number, w: number, rows: number, d: number, eps: number): void;
  add_bias(x: number, ldx: number, bias: number, rows: number, n: number): void;
  rope(x: number, ldx: number, table: number, start: number, rows: number, heads: number, d: number): void;
  kv_store: KvStore;
  kv_store_i16: KvStore;
  attention: Attention;
  attention_i16: Attention;
  swiglu(y: number, gateUp: number, rows: number, n: number): void;
  head_predict(
    result: number,
    logits: number,
    vocab: number,
    maskId: number,
    temperature: number,
    topK: number,
    topP: number,
    uniform: number,
    target: number,
    adjustments: number,
    count: number,
  ): void;
}

type KvStore = (
  pages: number,
  layer: number,
  start: number,
  k: number,
  v: number,
  ld: number,
  rows: number,
  kvHeads: number,
  d: number,
  pageTokens: number,
) => void;

type Attention = (
  out: number,
  q: number,
  ldq: number,
  visible: number,
  pages: number,
  layer: number,
  rows: number,
  heads: number,
  kvHeads: number,
  d: number,
  pageTokens: number,
  scratch: number,
  from: number,
  to: number,
) => void;

export type KernelFlavour = 'relaxed-simd' | 'simd';

/**
 * The compiled modules of both builds. With several threads they are the builds for a shared memory. Workers can only
 * import modules, so the host passes them in.
 */
export interface KernelModules {
  readonly relaxed: WebAssembly.Module;
  readonly simd: WebAssembly.Module;
}

/** A module of one function: `i8x16.relaxed_swizzle` on two constants. */
const RELAXED_PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
  ...[1, 5, 1, 96, 0, 1, 123], // type: () -> v128
  ...[3, 2, 1, 0], // one function of it
  ...[10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
);

/** Chooses the build: relaxed SIMD if the engine validates it. No other code chooses. */
export function kernelFlavour(): KernelFlavour {
  return WebAssembly.validate(RELAXED_PROBE) ? 'relaxed-simd' : 'simd';
}

/** The build of `flavour`. */
export function kernelModule(modules: KernelModules, flavour: KernelFlavour = kernelFlavour()): WebAssembly.Module {
  return flavour === 'relaxed-simd' ? modules.relaxed : modules.simd;
}

export function instantiateKernels(
  modules: KernelModules,
  memory: WebAssembly.Memory,
  flavour?: KernelFlavour,
): Kernels {
  return instantiateModule(kernelModule(modules, flavour), memory);
}

export function instantiateModule(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const instance = new WebAssembly.Instance(module, {
    env: {
      memory,
      abort: () => {
        throw new Error('kernel aborted');
      },
    },
  });
  return instance.exports as unknown as Kernels;
}
