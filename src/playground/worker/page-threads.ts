/** Starts the page's helper threads. They are workers of the worker that holds the model, and end with it. */
import type { Threads } from '../../kernels/crew.ts';
import type { FromThread } from './thread.ts';

/** Works only if `crossOriginIsolated`. @param count 2 or more; the model's own worker is one of them */
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
