/** A helper thread of the Node host. `threads.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import { help } from '../../../kernels/help.ts';

help(
  workerData,
  () => parentPort?.postMessage('ready'),
  (error) => parentPort?.postMessage(error),
);
