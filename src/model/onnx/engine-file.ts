/**
 * Where a page gets ONNX Runtime's own WASM from: an address, or its bytes if the page fetches them in another way
 * (compressed, from a cache). There is one for each page and provider.
 */
import type { Env } from 'onnxruntime-web';

export type EngineFile = { readonly url: string } | { readonly bytes: ArrayBuffer };

/** Call it before the first session; later calls change nothing. */
export function useEngineFile(env: Env, file: EngineFile | null): void {
  // Threads need cross-origin isolation in a page, and would take the cores of the host's other requests.
  env.wasm.numThreads = 1;
  env.logLevel = 'error';
  if (file && 'url' in file) env.wasm.wasmPaths = { wasm: file.url };
  if (file && 'bytes' in file) env.wasm.wasmBinary = file.bytes;
}
