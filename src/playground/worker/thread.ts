/** A helper thread of the page; `page-threads.ts` starts it. */
import type { HelperTask } from '../../kernels/crew.ts';
import { help } from '../../kernels/help.ts';

declare const self: DedicatedWorkerGlobalScope;

/** `error` is text, because not every error object can be posted. */
export type FromThread = 'ready' | 'ended' | { readonly error: string };

function send(message: FromThread): void {
  self.postMessage(message);
}

self.onmessage = ({ data }: MessageEvent<HelperTask>) => {
  help(
    data,
    () => send('ready'),
    (error) => send({ error: String(error) }),
  );
  send('ended');
  self.close();
};
