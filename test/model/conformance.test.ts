/** Every architecture, type of matrix and context attention once; on WebGPU the first, the others with the slow tests. */
import { describe } from 'vitest';
import { RUNTIMES } from '../support/engines/runtimes.ts';
import { CHECKPOINTS, conformance } from './conformance-suite.ts';

describe.each(CHECKPOINTS.map((checkpoint) => ({ checkpoint })))('$checkpoint', ({ checkpoint }) => {
  conformance(
    checkpoint,
    RUNTIMES.filter(({ name }) => checkpoint === CHECKPOINTS[0] || name !== 'onnx on webgpu'),
  );
});
