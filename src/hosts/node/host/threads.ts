/** Starts helper threads of the Node host, for `THREADS` above 1. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Threads } from '../../../kernels/crew.ts';

/** @param count 2 or more; the calling thread is one of them */
export function nodeThreads(count: number): Threads {
  return {
    count,
    async start(task, onFailure) {
      const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: task });
      // `once` rejects at the event 'error'. A thread may also end before it is ready.
      const [first] = await Promise.race([once(worker, 'message'), once(worker, 'exit').then(() => ['exit'])]);
      if (first !== 'ready') throw first instanceof Error ? first : new Error('the thread ended before it was ready');
      worker.on('message', onFailure);
      worker.on('error', onFailure);
      const gone = new Promise<void>((resolve) => {
        worker.once('exit', (code) => {
          onFailure(new Error(`the thread ended with code ${code}`));
          resolve();
        });
      });
      // A model that was not closed must not keep the process alive.
      worker.unref();
      return {
        async ended() {
          worker.ref();
          await gone;
        },
      };
    },
  };
}
