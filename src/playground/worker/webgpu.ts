/** The ONNX runtime on WebGPU: a chunk of its own, fetched when it is chosen. */

import { ModelLoadError } from '../../model/errors.ts';
import type { WeightSource } from '../../model/weight-source.ts';
import type { Loaded } from './runtimes.ts';

/** @throws ModelLoadError */
export async function loadWebGpu(_source: WeightSource): Promise<Loaded> {
  throw new ModelLoadError('this build of the page has no WebGPU runtime');
}
