/** The thread of `try-model.ts`: a directory comes in, a verdict goes out. */
import { parentPort } from 'node:worker_threads';
import { ConversionError } from '../checkpoint.ts';
import type { Verdict } from './try-model.ts';
import { loadWrittenModel } from './written-model.ts';

parentPort?.on('message', async (directory: string) => {
  const verdict = await loadWrittenModel(directory).then(
    (): Verdict => ({ refusal: null, expected: true }),
    (error: unknown): Verdict => {
      const expected = error instanceof ConversionError;
      return {
        refusal: error instanceof Error ? (expected ? error.message : String(error.stack)) : String(error),
        expected,
      };
    },
  );
  parentPort?.postMessage(verdict);
});
