/** An engine without a model: the prompt says how it behaves, so a test over a socket can steer it. */
import { setTimeout } from 'node:timers/promises';
import type { Admitted, Engine } from '../../src/api/host.ts';
import { BusyError, type QueueLimits, RequestQueue } from '../../src/engine/queue.ts';
import { type EngineEvent, type GenerateRequest, RequestError } from '../../src/engine/request.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { OutOfMemoryError } from '../../src/model/errors.ts';

export const FAKE_CONFIG: ModelConfig = {
  name: 'fake',
  architecture: 'llama',
  hiddenSize: 64,
  intermediateSize: 64,
  numLayers: 1,
  numHeads: 1,
  numKvHeads: 1,
  headDim: 64,
  vocabSize: 1000,
  contextLength: 2048,
  rmsNormEps: 1e-5,
  ropeTheta: 10000,
  tieWordEmbeddings: true,
  qkvBias: false,
  qkNorm: false,
  maskTokenId: 1,
  logitShift: true,
  contextAttention: 'causal',
  blockLength: 4,
  eosTokenIds: [0],
  startTokenId: 0,
  grid: 'zero',
  subBlockLength: null,
  firstToken: 'denoise',
  stopRule: 'no_mask_before',
  decoding: null,
  infill: null,
};

/** What every answer says it had of its prompt. */
export const FAKE_CACHED_TOKENS = 2;

/** Prompts that change what happens; any other prompt counts upwards, one word a token. */
export const FAIL_EARLY = 'fail before the first block';
export const FAIL_LATE = 'fail after the first block';
export const NO_ROOM_NOW = 'no room in time';
export const TOO_MANY = 'too many requests';
export const NO_ROOM_EVER = 'no room ever';
export const EMPTY_BLOCKS = 'every other block is empty';
export const SILENT = 'steps without text';

export const RETRY_SECONDS = 7;

export interface FakeEngine extends Engine {
  readonly queue: RequestQueue;
  /** Denoise steps so far, over all requests. */
  readonly steps: number;
  readonly requests: readonly GenerateRequest[];
}

export interface FakeOptions {
  readonly totalTokens?: number;
  readonly stepMs?: number;
  readonly limits?: Partial<QueueLimits>;
}

export function createFakeEngine({ totalTokens = 4096, stepMs = 0, limits }: FakeOptions = {}): FakeEngine {
  let free = totalTokens;
  let steps = 0;
  const requests: GenerateRequest[] = [];
  const queue = new RequestQueue({ concurrency: 16, waiting: 32, seconds: 30, ...limits });

  async function admit(request: GenerateRequest, signal: AbortSignal): Promise<Admitted> {
    requests.push(request);
    if (request.prompt === NO_ROOM_NOW) throw new BusyError('late', 'no room in time', RETRY_SECONDS);
    if (request.prompt === TOO_MANY) throw new BusyError('full', 'too many wait', RETRY_SECONDS);
    if (request.prompt === NO_ROOM_EVER) throw new OutOfMemoryError('larger than the whole pool', false);
    const promptTokens = request.prompt.length;
    const needed = promptTokens + request.maxTokens;
    if (needed > totalTokens) {
      throw new RequestError(`${needed} tokens are too many`, 'context_length_exceeded', 'prompt');
    }
    let held = 0;
    const take = () => {
      if (needed > free) return null;
      held = needed;
      free -= held;
      return held;
    };
    const place = await queue.enter(take, signal);
    const release = () => {
      free += held;
      held = 0;
      place.leave();
    };
    return { release, run: (signal) => run(request, promptTokens, signal) };
  }

  async function step(signal: AbortSignal): Promise<void> {
    await setTimeout(stepMs);
    signal.throwIfAborted();
    steps++;
  }

  // Leaves the memory to `release` on purpose: the API must call it.
  async function* run(
    { prompt, maxTokens, decoding }: GenerateRequest,
    promptTokens: number,
    signal: AbortSignal,
  ): AsyncGenerator<EngineEvent> {
    if (prompt === FAIL_EARLY) throw new Error('secret detail in /a/path');
    const blockLength = decoding.blockLength ?? FAKE_CONFIG.blockLength;
    for (let block = 0; block * blockLength < maxTokens; block++) {
      const from = block * blockLength;
      const ids = Array.from({ length: Math.min(blockLength, maxTokens - from) }, (_, i) => from + i);
      for (const id of ids) {
        await step(signal);
        yield {
          type: 'step',
          block,
          positions: Int32Array.of(id),
          ids: Int32Array.of(id),
          probs: Float32Array.of(1),
          texts: [` ${id}`],
          revised: new Int32Array(),
          remasked: new Int32Array(),
        };
      }
      const empty = prompt === SILENT || (prompt === EMPTY_BLOCKS && block % 2 === 1);
      yield { type: 'block', block, text: empty ? '' : ids.map((id) => ` ${id}`).join('') };
      if (prompt === FAIL_LATE) throw new Error('secret detail in /a/path');
    }
    yield {
      type: 'done',
      finishReason: 'length',
      usage: { promptTokens, cachedTokens: FAKE_CACHED_TOKENS, completionTokens: maxTokens },
      cost: { nfe: maxTokens + 1, positionForwards: maxTokens * blockLength, prefillMs: 1, decodeMs: 2 },
    };
  }

  return {
    model: {
      config: FAKE_CONFIG,
      maxTokens: totalTokens,
      memory: { weights: 10, kvPool: 20, scratch: 30, total: 60 },
      get freeTokens() {
        return free;
      },
    },
    admit,
    queue,
    requests,
    get steps() {
      return steps;
    },
  };
}
