/** The deployed Worker in workerd: memory, and time to the first token with and without the load of the model. */
import { median, round } from '../median.ts';
import { PROMPT_OF_32, salted } from '../prompts.ts';
import { streamCompletion } from '../streamed-completion.ts';
import { type IsolateMemory, startIsolate } from '../workerd.ts';

export interface WorkerStart {
  readonly coldMs: number;
  readonly warmMs: number;
  readonly memory: IsolateMemory;
}

/** @param requests whose median is the warm time */
export async function measureWorkerStart(requests: number): Promise<WorkerStart> {
  const isolate = await startIsolate();
  const firstMs = async () => {
    const { promptTokens, firstMs } = await streamCompletion(isolate.client, {
      prompt: salted(PROMPT_OF_32),
      maxTokens: 16,
    });
    if (promptTokens !== 32) throw new Error(`the prompt has ${promptTokens} tokens, not 32`);
    return firstMs;
  };
  try {
    const coldMs = round(await firstMs(), 0);
    const warm: number[] = [];
    for (let i = 0; i < requests; i++) warm.push(await firstMs());
    return { coldMs, warmMs: round(median(warm), 0), memory: await isolate.memory() };
  } finally {
    await isolate.stop();
  }
}
