/** Loads what was written in a thread with a time limit. A strange checkpoint may hold a program that does not end. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ConversionError } from '../checkpoint.ts';

/** Well above what the largest tokenizers take on a slow machine. */
const TRIAL_SECONDS = 20;

/** What the thread says of a model. */
export interface Verdict {
  /** Null: a server would load it. */
  readonly refusal: string | null;
  /** The refusal has a sentence for whoever converts. */
  readonly expected: boolean;
}

/** One thread for all conversions of a process: it takes longer to start than most trials. */
let idle: Worker | null = null;

/**
 * @param seconds longest time for the template and the tokenizer
 * @throws ConversionError in the words that a server would have for it, or if it takes too long
 */
export async function tryModel(directory: string, seconds = TRIAL_SECONDS): Promise<void> {
  const worker = idle ?? new Worker(new URL('./thread.ts', import.meta.url));
  idle = null;
  worker.ref();
  const alarm = AbortSignal.timeout(seconds * 1000);
  const answer = once(worker, 'message', { signal: alarm }) as Promise<[Verdict]>;
  worker.postMessage(directory);
  try {
    const [{ refusal, expected }] = await answer;
    worker.unref();
    idle = worker;
    if (refusal === null) return;
    throw expected ? new ConversionError(refusal) : new Error(refusal);
  } catch (error) {
    if (!alarm.aborted || idle === worker) throw error;
    await worker.terminate();
    throw new ConversionError(
      `the tokenizer or the chat template takes longer than ${seconds} seconds for a few words; it would stop a server`,
    );
  }
}
