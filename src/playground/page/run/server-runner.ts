/** Runs jobs on the server, and turns its stream of chunks or its edit into the page's events. */
import type { CompleteJob, Job, RepairJob } from '../../shared/job.ts';
import {
  type DraftsBySource,
  type RunEnd,
  RunError,
  type RunEvent,
  type Runner,
  type StepToken,
  type TextChange,
} from '../../shared/run-event.ts';
import { errorMessage, post } from './api-client.ts';
import { apiCall } from './completion-body.ts';
import { sseData } from './sse.ts';

/** The fields of a chunk that the page reads. */
interface Chunk {
  readonly choices: readonly { readonly text: string; readonly finish_reason: 'stop' | 'length' | null }[];
  readonly diffusing?: { readonly tokens: readonly StepToken[]; readonly remasked: readonly number[] };
  readonly seedling?: { readonly nfe: number; readonly drafts?: DraftsBySource };
  readonly usage?: { readonly completion_tokens: number } | null;
}

/** The fields of an edit's chunk that the page reads. */
interface EditChunk {
  readonly diffusing?: {
    readonly span: { readonly start: number; readonly end: number; readonly causal_prob: number };
  };
  /** In the last chunk. */
  readonly seedling?: {
    readonly edits: readonly {
      readonly start: number;
      readonly end: number;
      readonly new_text: string;
      readonly confidence: number;
    }[];
    readonly complete: boolean;
    readonly nfe: number;
  };
}

export class ServerRunner implements Runner {
  readonly #key: () => string;

  /** @param key the reader's API key at the time of a request; empty for none */
  constructor(key: () => string) {
    this.#key = key;
  }

  run(job: Job, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
    return job.kind === 'repair' ? this.#repair(job, signal) : this.#complete(job, signal);
  }

  async *#complete(job: CompleteJob, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
    let end: Omit<RunEnd, 'type' | 'tokens'> | null = null;
    for await (const json of this.#chunks(job, signal)) {
      const chunk = json as Chunk;
      if (chunk.diffusing) yield { type: 'step', ...chunk.diffusing };
      const [choice] = chunk.choices;
      if (choice && choice.text !== '') yield { type: 'text', text: choice.text };
      if (choice?.finish_reason && chunk.seedling) {
        const { nfe, drafts = {} } = chunk.seedling;
        end = { finishReason: choice.finish_reason, nfe, drafts };
      }
      if (end && chunk.usage) yield { type: 'done', ...end, tokens: chunk.usage.completion_tokens };
    }
  }

  async *#repair(job: RepairJob, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
    for await (const json of this.#chunks(job, signal)) {
      const { diffusing, seedling } = json as EditChunk;
      if (diffusing) {
        const { start, end, causal_prob } = diffusing.span;
        yield { type: 'span', start, end, prob: causal_prob };
      }
      if (!seedling) continue;
      const changes = seedling.edits.map(
        ({ start, end, new_text, confidence }): TextChange => ({ start, end, newText: new_text, confidence }),
      );
      yield { type: 'edited', changes, nfe: seedling.nfe, complete: seedling.complete };
    }
  }

  /** The chunks of a stream, up to `[DONE]`. @throws RunError with the server's sentence, or when the stream breaks */
  async *#chunks(job: Job, signal: AbortSignal): AsyncGenerator<unknown, void, void> {
    const { path, body } = apiCall(job);
    const response = await post(path, body, this.#key(), signal);
    if (response.body === null) throw new RunError('The server answered without a body.');
    for await (const data of guarded(sseData(response.body), signal)) {
      if (data === '[DONE]') return;
      const chunk: unknown = JSON.parse(data);
      const failure = errorMessage(chunk);
      if (failure !== null) throw new RunError(failure);
      yield chunk;
    }
    throw new RunError('The server ended the stream early.');
  }
}

/** @throws RunError when the connection breaks, or the signal's reason when the reader has cancelled */
async function* guarded(data: AsyncGenerator<string>, signal: AbortSignal): AsyncGenerator<string, void, void> {
  try {
    yield* data;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof RunError ? error : new RunError('The connection to the server broke.');
  }
}
