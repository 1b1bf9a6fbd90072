/** An engine without a model: the prompt says how it behaves, so a test over a socket can steer it. */
import { setTimeout } from 'node:timers/promises';
import type { HeldRequest, ServedEngine } from '../../../src/api/host.ts';
import type { EditRequest } from '../../../src/engine/editing/edit-request.ts';
import type { EngineEvent, EngineRequest } from '../../../src/engine/job.ts';
import { BusyError, type QueueLimits, RequestQueue } from '../../../src/engine/queue.ts';
import { type GenerateRequest, RequestError, type TextToken } from '../../../src/engine/request.ts';
import type { Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import type { ModelConfig } from '../../../src/model/config.ts';
import { OutOfMemoryError } from '../../../src/model/errors.ts';
import { nextMacrotask } from '../../../src/sampler/macrotask.ts';

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
  ropeScaling: null,
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
  drafts: null,
};

/** With holes and a template, for what needs them. */
export const FAKE_CODER: ModelConfig = {
  ...FAKE_CONFIG,
  infill: { prefix: 2, suffix: 3, middle: 4, end: 5, order: 'prefix_first' },
  chatTemplate: {
    template:
      "{% for message in messages %}{% if message.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}<{{ message.role }}>{{ message.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    bosToken: '',
    eosToken: '</s>',
  },
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
/** Each block fills a socket's buffer a little: of a reader that stalls, something comes to be seen. */
export const LOUD = 'blocks of 64 KiB';

export const RETRY_SECONDS = 7;

const NEVER = new AbortController().signal;

export interface FakeEngine extends ServedEngine {
  readonly queue: RequestQueue;
  /** Denoise steps so far, over all requests. */
  readonly steps: number;
  readonly requests: readonly GenerateRequest[];
  readonly edits: readonly EditRequest[];
}

export interface FakeOptions {
  readonly totalTokens?: number;
  readonly stepMs?: number;
  readonly limits?: Partial<QueueLimits>;
  readonly config?: ModelConfig;
}

export function createFakeEngine({
  totalTokens = 4096,
  stepMs = 0,
  limits,
  config = FAKE_CONFIG,
}: FakeOptions = {}): FakeEngine {
  let free = totalTokens;
  let steps = 0;
  const requests: GenerateRequest[] = [];
  const edits: EditRequest[] = [];
  const queue = new RequestQueue({ concurrency: 16, waiting: 32, seconds: 30, ...limits });

  async function admit(request: EngineRequest, signal: AbortSignal): Promise<HeldRequest> {
    if (request.kind === 'edit') return admitEdit(request, signal);
    requests.push(request);
    if (request.prompt === NO_ROOM_NOW) throw new BusyError('late', 'no room in time', RETRY_SECONDS);
    if (request.prompt === TOO_MANY) throw new BusyError('full', 'too many wait', RETRY_SECONDS);
    if (request.prompt === NO_ROOM_EVER) throw new OutOfMemoryError('larger than the whole pool', false);
    check(request);
    const promptTokens = request.prompt.length;
    const held = await hold(promptTokens + request.maxTokens, signal);
    return { release: held, run: (signal = NEVER) => run(request, promptTokens, signal) };
  }

  function check(request: EngineRequest): void {
    if (request.kind === 'edit') return;
    const { prompt, maxTokens } = request;
    const needed = prompt.length + maxTokens;
    if (needed <= totalTokens) return;
    throw new RequestError(`${needed} tokens are too many`, 'context_length_exceeded', 'prompt');
  }

  function fit(request: GenerateRequest): GenerateRequest {
    const left = totalTokens - request.prompt.length;
    return left >= 1 && request.maxTokens > left ? { ...request, maxTokens: left } : request;
  }

  async function admitEdit(request: EditRequest, signal: AbortSignal): Promise<HeldRequest> {
    edits.push(request);
    if (request.code === NO_ROOM_NOW) throw new BusyError('late', 'no room in time', RETRY_SECONDS);
    const release = await hold(request.code.length, signal);
    return { release, run: (signal = NEVER) => runFakeEdit(request, step, signal) };
  }

  /** @returns what gives the room back */
  async function hold(needed: number, signal: AbortSignal): Promise<() => Promise<void>> {
    let held = 0;
    const take = () => {
      if (needed > free) return null;
      held = needed;
      free -= held;
      return held;
    };
    const place = await queue.enter(take, signal);
    return async () => {
      free += held;
      held = 0;
      place.leave();
    };
  }

  async function step(signal: AbortSignal): Promise<void> {
    await (stepMs > 0 ? setTimeout(stepMs) : nextMacrotask());
    signal.throwIfAborted();
    steps++;
  }

  // Leaves the memory to `release` on purpose: the API must call it.
  async function* run(
    { prompt, maxTokens, decoding, logprobs, seed }: GenerateRequest,
    promptTokens: number,
    signal: AbortSignal,
  ): AsyncGenerator<EngineEvent, void, void> {
    if (prompt === FAIL_EARLY) throw new Error('secret detail in /a/path');
    if (logprobs?.prompt) yield { type: 'prompt', text: String(prompt), tokens: fakeTokens([String(prompt)], 0, null) };
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
      const words = empty ? [] : ids.map((id) => ` ${id}`);
      const before = Array.from({ length: from }, (_, id) => ` ${id}`).join('').length;
      // Each seed has a probability of its own, so that candidates can be ranked: the higher the likelier.
      const tokens = logprobs ? fakeTokens(words, before, (1 + (seed % 8)) / 10) : [];
      const text = prompt === LOUD ? '#'.repeat(64 * 1024) : words.join('');
      yield { type: 'block', block, text, tokens };
      // Some clients write something around every prompt.
      if (String(prompt).includes(FAIL_LATE)) throw new Error('secret detail in /a/path');
    }
    yield {
      type: 'done',
      finishReason: 'length',
      stopString: null,
      usage: { promptTokens, cachedTokens: FAKE_CACHED_TOKENS, completionTokens: maxTokens },
      cost: { nfe: maxTokens + 1, positionForwards: maxTokens * blockLength, drafts: {}, prefillMs: 1, decodeMs: 2 },
    };
  }

  return {
    model: {
      runtime: 'scalar',
      config,
      maxAlternatives: 20,
      maxTokens: totalTokens,
      memory: { weights: 10, kvPool: 20, scratch: 30, total: 60 },
      get freeTokens() {
        return free;
      },
    },
    admit,
    check,
    fit,
    tokenizer: new FakeTokenizer(),
    edits,
    queue,
    requests,
    get steps() {
      return steps;
    },
  };
}

function fakeTokens(words: readonly string[], before: number, prob: number | null): TextToken[] {
  let offset = before;
  return words.map((word) => {
    const bytes = new TextEncoder().encode(word);
    const token = { bytes, offset, prob, alternatives: [{ bytes, prob: prob ?? 0 }] };
    offset += word.length;
    return token;
  });
}

/** Edits `old` to `new`, wherever it stands in the region. */
async function* runFakeEdit(
  { code, region }: EditRequest,
  step: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void, void> {
  await step(signal);
  const { start, end } = region ?? { start: 0, end: code.length };
  const at = code.slice(0, end).indexOf('old', start);
  const edit = { start: at, end: at + 3, oldText: 'old', newText: 'new', confidence: 0.9, gain: 8 };
  const edits = at < 0 ? [] : [edit];
  const spans = edits.map((best) => ({
    pass: 1,
    start: at,
    end: at + 3,
    text: 'old',
    causalProb: 0.001,
    leaveOneOutProb: 0.002,
    best: { ...best, rightGain: 4 },
    accepted: true,
  }));
  for (const span of spans) yield { type: 'span', span };
  for (const made of edits) yield { type: 'edit', edit: made };
  const text = at < 0 ? code : `${code.slice(0, at)}new${code.slice(at + 3)}`;
  yield {
    type: 'done',
    finishReason: 'stop',
    stopString: null,
    usage: { promptTokens: code.length, cachedTokens: 0, completionTokens: edits.length },
    cost: { nfe: 3, positionForwards: 30, drafts: {}, prefillMs: 0, decodeMs: 4 },
    result: { text, diff: at < 0 ? '' : '--- a/code\n+++ b/code\n', edits, spans, passes: 1, complete: true },
  };
}

/** One token per character, its code modulo the vocabulary; ids back to text below 128 only. */
class FakeTokenizer implements Tokenizer {
  readonly longestToken = 4;
  readonly firstTokens: readonly number[] = [];

  protect(text: string): string {
    return text;
  }

  encode(text: string): Int32Array {
    return Int32Array.from(text, (character) => character.charCodeAt(0) % 1000);
  }

  bytes(id: number): Uint8Array {
    return id < 128 ? Uint8Array.of(id) : new Uint8Array();
  }

  beginningWith(): Int32Array {
    return new Int32Array();
  }
}
