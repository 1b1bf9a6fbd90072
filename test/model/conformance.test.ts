/** Every architecture, type of matrix and context attention once; on WebGPU the first, the others with the slow tests. */
import { describe } from 'vitest';
import { RUNTIMES } from '../support/engines/runtimes.ts';
import { CHECKPOINTS, conformance } from './conformance-suite.ts';

describe.each(CHECKPOINTS.map((checkpoint, i) => [...checkpoint, i] as const))(
  '%s %s',
  (fixture, dtype, semantics, i) => {
    const quick = RUNTIMES.filter(({ name }) => i === 0 || name !== 'onnx on webgpu');
    conformance([fixture, dtype, semantics], quick);
  },
);
