/** ONNX Runtime on WebGPU: in a browser, in Deno, or on Node with Dawn. */
import type { Tensor, TensorConstructor } from 'onnxruntime-web';
import type { ModelConfig } from '../config.ts';
import { NoAdapterError } from '../errors.ts';
import { halfToFloat } from '../half-float.ts';
import { type Backend, type KvStore, kvNames, type SessionTensors } from './backend.ts';
import type { Precision } from './decoder-graph.ts';
import { type EngineFile, useEngineFile } from './engine-file.ts';

/** Limits whose defaults are too low for large matrices. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Shared by all models of this page or process: ONNX Runtime compiles its shaders again for every device. */
let opened: Promise<Graphics> | null = null;

interface Graphics {
  readonly device: GPUDevice;
  /** In words. */
  readonly adapter: string;
}

/**
 * Opens a device of the host's adapter with the features that ONNX Runtime can use. `subgroups` is left out: ONNX Runtime's
 * fused attention is wrong where subgroups are narrow, and this graph gains nothing from them.
 */
async function openGraphics(): Promise<Graphics> {
  const gpu = (globalThis.navigator as { gpu?: GPU } | undefined)?.gpu;
  if (!gpu) throw new NoAdapterError('This host has no WebGPU (navigator.gpu is missing).');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new NoAdapterError('This host has WebGPU but no adapter: no graphics driver that it can use.');
  const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has('shader-f16') ? ['shader-f16'] : [],
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
  });
  device.lost.then(() => {
    opened = null;
  });
  const { vendor, architecture, description } = adapter.info;
  return { device, adapter: [description || 'unnamed', vendor, architecture].filter(Boolean).join(', ') };
}

async function sharedGraphics(): Promise<Graphics> {
  opened ??= openGraphics();
  return opened.catch((error) => {
    opened = null;
    throw error;
  });
}

/**
 * @param file where the page has `ort-wasm-simd-threaded.asyncify.wasm`; Node finds its own
 * @throws NoAdapterError
 */
export async function createWebGpuBackend(file: EngineFile | null): Promise<Backend> {
  const { device, adapter } = await sharedGraphics();
  const precision: Precision = device.features.has('shader-f16') ? 'fp16' : 'fp32';
  const ort = await import('onnxruntime-web/webgpu');
  useEngineFile(ort.env, file);
  const tensor: Backend['tensor'] = (type, data, dims) => new ort.Tensor(type, data as never, dims);
  return {
    runtime: 'webgpu',
    adapter: `${adapter}, ${precision}`,
    precision,
    open: (config, graph, files) =>
      ort.InferenceSession.create(graph, {
        executionProviders: [{ name: 'webgpu', device }],
        externalData: [...files],
        preferredOutputLocation: {
          logits: 'gpu-buffer',
          ...Object.fromEntries(kvNames(config).map(({ present }) => [present, 'gpu-buffer'])),
        },
        // An operator that would run on the CPU is an error, not a slow surprise.
        extra: { session: { disable_cpu_ep_fallback: '1' } },
      }),
    tensor,
    floats: (values, dims) =>
      precision === 'fp16' ? new ort.Tensor('float16', toHalves(values), dims) : tensor('float32', values, dims),
    createStore: (config, tokens) => new GpuStore(config, tokens, device, ort.Tensor, precision),
  };
}

/** fp16 bits of 0, 1 and -30000: the values of `bias` and `masks`. */
function toHalves(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => (value === 0 ? 0 : value === 1 ? 0x3c00 : 0xf753));
}

/** Buffers for all tokens of the request, so that a commit copies only its own rows. */
class GpuStore implements KvStore {
  readonly #config: ModelConfig;
  readonly #device: GPUDevice;
  readonly #Tensor: TensorConstructor & typeof Tensor;
  readonly #dataType: 'float32' | 'float16';
  readonly #rowBytes: number;
  readonly #buffers: Map<string, GPUBuffer>;

  constructor(
    config: ModelConfig,
    tokens: number,
    device: GPUDevice,
    TensorType: TensorConstructor & typeof Tensor,
    precision: Precision,
  ) {
    this.#config = config;
    this.#device = device;
    this.#Tensor = TensorType;
    this.#dataType = precision === 'fp16' ? 'float16' : 'float32';
    this.#rowBytes = config.numKvHeads * config.headDim * (precision === 'fp16' ? 2 : 4);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const size = Math.ceil((tokens * this.#rowBytes) / 16) * 16;
    this.#buffers = new Map(kvNames(config).map(({ past }) => [past, device.createBuffer({ size, usage })]));
  }

  past(length: number): SessionTensors {
    const { numKvHeads, headDim } = this.#config;
    const dims = [1, length, numKvHeads, headDim];
    const { fromGpuBuffer } = this.#Tensor;
    const entries = Array.from(this.#buffers, ([name, buffer]) => [
      name,
      fromGpuBuffer(buffer, { dataType: this.#dataType, dims }),
    ]);
    return Object.fromEntries(entries);
  }

  append(length: number, count: number, outputs: SessionTensors): void {
    const encoder = this.#device.createCommandEncoder();
    for (const { past, present } of kvNames(this.#config)) {
      const source = outputs[present]?.gpuBuffer as GPUBuffer;
      const target = this.#buffers.get(past)!;
      encoder.copyBufferToBuffer(source, 0, target, length * this.#rowBytes, count * this.#rowBytes);
    }
    this.#device.queue.submit([encoder.finish()]);
    for (const { present } of kvNames(this.#config)) outputs[present]?.dispose();
  }

  async read(length: number): Promise<ReadonlyMap<string, Float32Array>> {
    const size = length * this.#rowBytes;
    const values = new Map<string, Float32Array>();
    for (const [name, buffer] of this.#buffers) {
      const staging = this.#device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
      const encoder = this.#device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
      this.#device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const bytes = staging.getMappedRange().slice(0);
      values.set(name, this.#dataType === 'float32' ? new Float32Array(bytes) : fromHalves(new Uint16Array(bytes)));
      staging.destroy();
    }
    return values;
  }

  free(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}

function fromHalves(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, halfToFloat);
}
