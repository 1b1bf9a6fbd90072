/** The checkpoints that `conformance.test.ts` does not run on WebGPU: a software adapter takes ten seconds for each. */
import { describe } from 'vitest';
import { RUNTIMES } from '../support/engines/runtimes.ts';
import { CHECKPOINTS, conformance } from './conformance-suite.ts';

const webgpu = RUNTIMES.filter(({ name }) => name === 'onnx on webgpu');

describe.each(CHECKPOINTS.slice(1).map((checkpoint) => ({ checkpoint })))('$checkpoint', ({ checkpoint }) => {
  conformance(checkpoint, webgpu);
});
