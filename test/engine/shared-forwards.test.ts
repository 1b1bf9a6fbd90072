/** Requests that share forwards and memory, on the kernels: each has the text that it has alone, and no page is lost. */
import { expect, test, vi } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { generationJob } from '../../src/engine/generation/job.ts';
import { type GenerateRequest, policyNames, resolvePolicy } from '../../src/engine/request.ts';
import { PagedKvCache } from '../../src/model/kv/paged-cache.ts';
import { WasmModel } from '../../src/model/wasm-model.ts';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { DraftAcceptance } from '../../src/sampler/drafts/learned.ts';
import { nextMacrotask } from '../../src/sampler/macrotask.ts';
import { uniform } from '../../src/sampler/random.ts';
import { Scheduler } from '../../src/sampler/scheduling/scheduler.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { kernelModules } from '../support/engines/kernels.ts';
import { convertFixture } from '../support/engines/models.ts';
import { collect, request } from './requests.ts';

const source = await convertFixture('tiny-llama', 'int4');
const published = await readModelConfig(source);
const config = {
  ...published,
  infill: { prefix: 250, suffix: 251, middle: 252, end: 253, order: 'prefix_first' as const },
};
const LIMITS = { concurrency: 16, waiting: 64, seconds: 60 };

async function setUp(kvTokens: number) {
  const options = {
    kernels: kernelModules,
    activations: 'int8' as const,
    memoryBudget: 1 << 28,
    kvTokens,
    prefixCache: true,
  };
  const model = await WasmModel.load(source, config, options);
  const forward = vi.spyOn(model, 'forward');
  return { model, forward, engine: new Engine(model, new ByteTokenizer(), LIMITS) };
}

/** A request that may differ from others in all that a row of a forward depends on. */
function draw(seed: number): GenerateRequest {
  let drawn = 0;
  const below = (limit: number) => Math.floor(uniform(seed, drawn++, 3) * limit);
  const one = <T>(...choices: readonly T[]): T => choices[below(choices.length)]!;
  const verify = below(2) === 0;
  const policy = resolvePolicy(policyNames[below(policyNames.length)]!, { threshold: below(11) / 10, steps: 4 });
  return request({
    prompt: Int32Array.from({ length: 1 + below(70) }, () => below(200)),
    suffix: one(null, null, 'x;\n}'),
    maxTokens: 1 + below(30),
    temperature: one(0, 0, 0.7, 1.5),
    topP: one(1, 0.6),
    topK: one(0, 5),
    minP: one(0, 0.1),
    seed,
    logprobs: one(null, { alternatives: below(4), prompt: below(2) === 0 }),
    logitRules: one(null, {
      frequencyPenalty: below(20) / 10,
      presencePenalty: below(10) / 10,
      logitBias: new Map([[below(200), below(9) - 4]]),
      repetition: one(undefined, { penalty: 1.3, window: 12 }),
    }),
    decoding: {
      ...policy,
      verify,
      blockLength: one(1, 2, 4, 8, ...(verify ? [null] : [])),
      remasking: !verify && below(3) === 0 ? { strategy: 'cap', sigma: 0.2, steps: 4 } : null,
    },
  });
}

/** Every event but those that depend on time. */
async function events(engine: Engine, asked: GenerateRequest, client = '') {
  const admitted = await engine.admit(asked, undefined, client);
  const { all } = await collect(admitted.run());
  return all.map((event) =>
    event.type === 'done' ? { ...event, cost: event.cost.nfe, usage: { ...event.usage, cachedTokens: 0 } } : event,
  );
}

test.each([1, 2, 3])('seed %i: requests of every kind, in one batch', async (seed) => {
  const asked = Array.from({ length: 24 }, (_, i) => draw(seed * 1000 + i));
  const { engine, forward, model } = await setUp(4096);
  const together = await Promise.all(asked.map((one) => events(engine, one)));
  const widest = Math.max(...forward.mock.calls.map(([batch]) => batch.length));
  expect(widest).toBeGreaterThan(8);
  expect(model.freeTokens).toBe(model.maxTokens);
  const alone = (await setUp(4096)).engine;
  for (const [i, one] of asked.entries()) {
    // Where the window follows the load, the forwards differ and the text does not.
    const wide = one.decoding.blockLength === null;
    const text = (all: Awaited<ReturnType<typeof events>>) =>
      wide ? all.flatMap((event) => (event.type === 'block' ? [event.text] : [])).join('') : all;
    expect(text(together[i]!), `request ${i}`).toEqual(text(await events(alone, one)));
  }
});

test('sixteen that grow past the pool wait or run again, and none fails', async () => {
  const asked = Array.from({ length: 16 }, (_, i) =>
    request({
      prompt: Int32Array.from({ length: 20 }, (_, j) => (i * 7 + j * 3) % 200),
      maxTokens: 60 + i,
      decoding: { blockLength: 1, verify: true },
    }),
  );
  const { engine, model } = await setUp(26 * 8);
  const suspend = vi.spyOn(PagedKvCache.prototype, 'suspend');
  const texts = await Promise.all(asked.map((one, i) => events(engine, one, `client ${i % 3}`)));
  expect(suspend.mock.results.filter(({ value }) => value).length).toBeGreaterThan(3);
  suspend.mockRestore();
  expect(model.freeTokens).toBe(model.maxTokens);
  expect(engine.queue.running).toBe(0);
  const alone = (await setUp(26 * 8)).engine;
  for (const [i, one] of asked.entries()) expect(texts[i], `request ${i}`).toEqual(await events(alone, one));
});

test('a client with one short request after another does not wait for a client with many long ones', async () => {
  const { engine, forward } = await setUp(30 * 8);
  const long = Array.from({ length: 16 }, (_, i) =>
    events(
      engine,
      request({ prompt: Int32Array.from({ length: 90 }, (_, j) => (i + j) % 200), maxTokens: 100 }),
      'many',
    ),
  );
  const forwards: number[] = [];
  for (let i = 0; i < 10; i++) {
    const before = forward.mock.calls.length;
    await events(engine, request({ prompt: 'abcdefgh', maxTokens: 4, decoding: { blockLength: 1 } }), 'few');
    forwards.push(forward.mock.calls.length - before);
  }
  // A prefill, a forward for each token after the first, and one that was under way.
  expect(Math.max(...forwards)).toBeLessThanOrEqual(6);
  await Promise.all(long);
});

const LANES = Array.from({ length: 16 }, (_, i) =>
  request({
    prompt: Int32Array.from({ length: 5 + i }, (_, j) => (i * 5 + j) % 200),
    maxTokens: 40,
    seed: i,
    temperature: i % 2,
    decoding: { blockLength: 1, verify: true },
  }),
);

/** Starts a lane without an engine. @param macrotask which the host may let come no more */
function start(scheduler: Scheduler, model: WasmModel, asked: GenerateRequest, macrotask = nextMacrotask) {
  const job = generationJob(asked, model, new ByteTokenizer(), new DraftAcceptance());
  const cache = model.createCache(job.tokens, job.prefix, job.first);
  const lane = scheduler.join({ cache, client: '', macrotask });
  return { lane, cache, events: job.run(lane, new AbortController().signal) };
}

async function textOf({ lane, cache, events: running }: ReturnType<typeof start>): Promise<string> {
  const { text } = await collect(running);
  lane.leave();
  cache.free();
  return text;
}

test('sixteen lanes, one of them cut at each await in turn: the others have their texts, and all pages are back', async () => {
  const { model } = await setUp(4096);
  const expected: string[] = [];
  for (const one of LANES) expected.push(await textOf(start(new Scheduler(model), model, one)));
  let reached = true;
  let cuts = 0;
  for (; reached; cuts++) {
    const scheduler = new Scheduler(model);
    let left = cuts;
    reached = false;
    const macrotask = () => {
      if (left-- > 0) return nextMacrotask();
      reached = true;
      return new Promise<void>(() => {});
    };
    const which = cuts % LANES.length;
    const lanes = LANES.map((one, i) => start(scheduler, model, one, i === which ? macrotask : undefined));
    const others = lanes.map(async (lane, i) => (i === which ? expected[i] : textOf(lane)));
    if (left > 0) void textOf(lanes[which]!).catch(() => {});
    else void lanes[which]!.events.next();
    expect(await Promise.all(others), `cut ${cuts}`).toEqual(expected);
    // The others' forwards have ended: another request's show that it is gone.
    await textOf(start(scheduler, model, LANES[0]!));
    expect(model.freeTokens, `cut ${cuts}`).toBe(model.maxTokens);
  }
  expect(cuts).toBeGreaterThan(40);
});

test('a request whose host ended it between two forwards gives its pages to others after a while', async () => {
  const { model } = await setUp(4096);
  const scheduler = new Scheduler(model);
  const lost = start(scheduler, model, LANES[3]!);
  for (let i = 0; i < 5; i++) await lost.events.next();
  await textOf(start(scheduler, model, LANES[0]!));
  expect(model.freeTokens).toBeLessThan(model.maxTokens);
  const now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 11_000);
  // Missed once, the thread may have stood still.
  await textOf(start(scheduler, model, LANES[1]!));
  expect(model.freeTokens).toBeLessThan(model.maxTokens);
  clock.mockReturnValue(now + 13_500);
  await textOf(start(scheduler, model, LANES[2]!));
  vi.mocked(performance.now).mockRestore();
  expect(model.freeTokens).toBe(model.maxTokens);
  // It was not gone after all: its tokens run again.
  const rest = await collect(lost.events);
  expect(rest.done.usage.completionTokens).toBe(40);
  lost.lane.leave();
  lost.cache.free();
  expect(model.freeTokens).toBe(model.maxTokens);
});
