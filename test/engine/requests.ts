import { Engine } from '../../src/engine/engine.ts';
import type { EngineEvent } from '../../src/engine/job.ts';
import type { QueueLimits } from '../../src/engine/queue.ts';
import type { GenerateRequest } from '../../src/engine/request.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { FakeModel, type FakeModelOptions, says } from '../support/engines/fake-model.ts';

export type Overrides = Partial<Omit<GenerateRequest, 'decoding'>> & {
  decoding?: Partial<GenerateRequest['decoding']>;
};

const DECODING = {
  policy: 'confidence',
  threshold: 0.8,
  blockLength: 8,
  verify: false,
  remasking: null,
  approximateCache: null,
} satisfies GenerateRequest['decoding'];

export function request(overrides: Overrides = {}): GenerateRequest {
  return {
    kind: 'generate',
    context: '',
    prompt: 'let x',
    textKind: 'prompt',
    tokenHealing: true,
    suffix: null,
    maxTokens: 20,
    temperature: 0,
    topP: 1,
    topK: 0,
    minP: 0,
    seed: 0,
    logitRules: null,
    stop: [],
    logprobs: null,
    timeLimitMs: null,
    cacheKey: '',
    ...overrides,
    decoding: { ...DECODING, ...overrides.decoding } as GenerateRequest['decoding'],
  };
}

/** Enough for every test that is not about the queue. */
export const LIMITS: QueueLimits = { concurrency: 16, waiting: 32, seconds: 30 };

export function setUp(options: FakeModelOptions = {}, limits: QueueLimits = LIMITS) {
  const model = new FakeModel(options);
  return { model, engine: new Engine(model, new ByteTokenizer(), limits) };
}

/** Options of a model that says this after the prompt. */
export const saying = (text: string, prompt = 'let x') => ({
  next: says(text, new TextEncoder().encode(prompt).length),
});

/** All events, and what they add up to. */
export async function collect(events: AsyncIterable<EngineEvent>) {
  const all: EngineEvent[] = [];
  for await (const event of events) all.push(event);
  const blocks = all.flatMap((event) => (event.type === 'block' ? [event.text] : []));
  const done = all.at(-1);
  if (done?.type !== 'done') throw new Error('no done event at the end');
  return { all, blocks, text: blocks.join(''), done };
}

export const complete = (options: FakeModelOptions, overrides: Overrides = {}) =>
  collect(setUp(options).engine.generate(request(overrides)));
