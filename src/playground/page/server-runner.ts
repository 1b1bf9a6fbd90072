/** Runs jobs on the server: its stream of chunks, or its edit, as the page's events. */
import type { CompleteJob, Job, RepairJob } from '../shared/job.ts';
import { RunError, type RunEvent, type Runner, type StepToken, type TextChange } from '../shared/run-event.ts';
import { errorMessage, post } from './api-client.ts';
import { apiCall } from './completion-body.ts';
import { sseData } from './sse.ts';

/** The parts of a chunk that are read. */
interface Chunk {
  readonly choices: readonly { readonly text: string; readonly finish_reason: 'stop' | 'length' | null }[];
  readonly diffusing?: { readonly tokens: readonly StepToken[]; readonly remasked: readonly number[] };
  readonly seedling?: { readonly nfe: number };
  readonly usage?: { readonly completion_tokens: number } | null;
}

/** The parts of an edit that are read. */
interface Edit {
  readonly choices: readonly { readonly message: { readonly content: string } }[];
  readonly seedling?: {
    readonly nfe?: number;
    readonly complete?: boolean;
    readonly edits?: readonly {
      readonly start: number;
      readonly end: number;
      readonly new_text: string;
      readonly confidence: number;
    }[];
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
    const { path, body } = apiCall(job);
    const response = await post(path, body, this.#key(), signal);
    if (response.body === null) throw new RunError('The server answered without a body.');
    let end: { finishReason: 'stop' | 'length'; nfe: number } | null = null;
    for await (const data of guarded(sseData(response.body), signal)) {
      if (data === '[DONE]') return;
      const chunk = JSON.parse(data) as Chunk;
      const failure = errorMessage(chunk);
      if (failure !== null) throw new RunError(failure);
      if (chunk.diffusing) yield { type: 'step', ...chunk.diffusing };
      const [choice] = chunk.choices;
      if (choice && choice.text !== '') yield { type: 'text', text: choice.text };
      if (choice?.finish_reason) end = { finishReason: choice.finish_reason, nfe: chunk.seedling?.nfe ?? 0 };
      if (end && chunk.usage) yield { type: 'done', ...end, tokens: chunk.usage.completion_tokens };
    }
    throw new RunError('The server ended the stream early.');
  }

  async *#repair(job: RepairJob, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
    const { path, body } = apiCall(job);
    const edit = (await (await post(path, body, this.#key(), signal)).json()) as Edit;
    const text = edit.choices[0]?.message.content;
    if (text === undefined) throw new RunError('The server answered an edit without its text.');
    const changes = edit.seedling?.edits?.map(
      ({ start, end, new_text, confidence }): TextChange => ({ start, end, newText: new_text, confidence }),
    );
    const { nfe = 0, complete = true } = edit.seedling ?? {};
    yield { type: 'edited', text, changes: changes ?? wholeChange(job.code, text), nfe, complete };
  }
}

/** Where the server does not say what it changed: everything between the equal beginning and the equal end. */
function wholeChange(before: string, after: string): readonly TextChange[] {
  if (before === after) return [];
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start += 1;
  let same = 0;
  while (same < most - start && before.at(-1 - same) === after.at(-1 - same)) same += 1;
  const newText = after.slice(start, after.length - same);
  return [{ start, end: before.length - same, newText, confidence: 1 }];
}

/** A connection that breaks is a sentence; one that the reader cut is the signal's reason. */
async function* guarded(data: AsyncGenerator<string>, signal: AbortSignal): AsyncGenerator<string, void, void> {
  try {
    yield* data;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof RunError ? error : new RunError('The connection to the server broke.');
  }
}
