/** Helper threads of the page: workers of the worker that holds the model. They end with it. */
import type { Threads } from '../../kernels/crew.ts';
import type { FromThread } from './thread.ts';

/** @param count the model's own worker counted, 2 or more. Only where `crossOriginIsolated`: elsewhere no memory is shared */
export function pageThreads(count: number): Threads {
  return {
    count,
    start(task, onFailure) {
      const worker = new Worker('/playground/thread.js', { type: 'module', name: 'seedling thread' });
      const ready = Promise.withResolvers<void>();
      const gone = Promise.withResolvers<void>();
      const failed = (why: string) => {
        const error = new Error(why);
        ready.reject(error);
        onFailure(error);
      };
      worker.onerror = ({ message }) => failed(message || 'the thread did not start');
      worker.onmessage = ({ data }: MessageEvent<FromThread>) => {
        if (data === 'ready') ready.resolve();
        else if (data === 'ended') gone.resolve();
        else failed(data.error);
      };
      worker.postMessage(task);
      return ready.promise.then(() => ({ ended: () => gone.promise }));
    },
  };
}
