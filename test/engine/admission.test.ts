import { describe, expect, it } from 'vitest';
import { RequestError } from '../../src/engine/request.ts';
import { MASK } from '../support/engines/byte-tokenizer.ts';
import type { FakeModelOptions } from '../support/engines/fake-model.ts';
import { collect, type Overrides, request, saying, setUp } from './requests.ts';

describe('admit', () => {
  const refusal = async (options: FakeModelOptions, overrides: Overrides) => {
    const { model, engine } = setUp(options);
    const outcome = await engine.admit(request(overrides)).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(RequestError);
    expect(model.forwards).toEqual([]);
    expect(model.openCaches).toEqual([]);
    return outcome;
  };

  it.each([
    ['the context of the model', { config: { contextLength: 24 } }],
    ['the pool', { poolTokens: 24 }],
  ])('refuses what is longer than %s, and takes what is exactly as long', async (_, options) => {
    expect(await refusal(options, { maxTokens: 20 })).toMatchObject({
      name: 'RequestError',
      code: 'context_length_exceeded',
      param: 'prompt',
      message: expect.stringMatching(/24 tokens.*25 tokens.*5 in the prompt, 20 in the completion/),
    });
    const { engine } = setUp(options);
    expect((await engine.admit(request({ maxTokens: 19 }))).promptTokens).toBe(5);
  });

  it.each([
    ['the mask', Int32Array.of(1, MASK)],
    ['an id past the vocabulary', Int32Array.of(259)],
    ['a negative id', Int32Array.of(-1)],
  ])('refuses %s in a prompt of ids', async (_, prompt) => {
    expect(await refusal({}, { prompt })).toMatchObject({ code: 'invalid_value', param: 'prompt' });
  });

  it.each([
    ['max_tokens', { maxTokens: -1 }],
    ['max_tokens', { maxTokens: 1.5 }],
    ['decoding.block_length', { decoding: { blockLength: 0 } }],
    ['decoding.steps', { decoding: { steps: Number.NaN } }],
  ])('refuses a senseless %s', async (param, overrides) => {
    expect(await refusal({}, overrides)).toMatchObject({ code: 'invalid_value', param });
  });

  it('decides blocks that attend to each other in parts, and refuses a length that does not divide them', async () => {
    const options = { config: { contextAttention: 'block_causal', blockLength: 8 } } as const;
    expect(await refusal(options, { decoding: { blockLength: 3 } })).toMatchObject({
      code: 'invalid_value',
      param: 'decoding.block_length',
      message: expect.stringMatching(/is 3: fake attends in blocks of 8/),
    });
    const { engine } = setUp(options);
    await (await engine.admit(request({ decoding: { blockLength: 4 } }))).release();
  });

  it('waits for room, and refuses at once what could never fit', async () => {
    const { model, engine } = setUp({ poolTokens: 40 });
    const first = await engine.admit(request());
    const second = collect(engine.generate(request()));
    await expect(engine.admit(request({ maxTokens: 36 }))).rejects.toThrow(RequestError);
    expect([engine.queue.running, engine.queue.waiting, model.forwards.length]).toEqual([1, 1, 0]);
    await first.release();
    expect((await second).done.usage.completionTokens).toBe(20);
    expect([engine.queue.running, engine.queue.waiting, model.openCaches.length]).toEqual([0, 0, 0]);
  });

  it('is abandoned by a client that goes away while it waits', async () => {
    const { model, engine } = setUp({ poolTokens: 40 });
    const first = await engine.admit(request());
    const client = new AbortController();
    const waiting = engine.admit(request(), client.signal);
    client.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await first.release();
    expect([engine.queue.running, engine.queue.waiting, model.caches.length]).toEqual([0, 0, 1]);
  });

  it('refuses past the bound of the queue, and after its deadline', async () => {
    const { engine } = setUp({ poolTokens: 40 }, { concurrency: 16, waiting: 1, seconds: 0.02 });
    const first = await engine.admit(request());
    const late = engine.admit(request());
    await expect(engine.admit(request())).rejects.toMatchObject({ name: 'BusyError', reason: 'full' });
    await expect(late).rejects.toMatchObject({ name: 'BusyError', reason: 'late' });
    await first.release();
    await (await engine.admit(request())).release();
  });
});

describe('a prompt that begins like an earlier one', () => {
  const options = { ...saying('abcdefghijklmnop', 'x'.repeat(100)), reuse: true };
  const prompt = 'x'.repeat(100);

  it('runs the rest only, says the same, and reports what it had', async () => {
    const { model, engine } = setUp(options);
    const run = async (overrides: Overrides = {}) => {
      const before = model.forwards.length;
      const { text, done } = await collect(engine.generate(request({ prompt, ...overrides })));
      return { text, cached: done.usage.cachedTokens, prefill: model.forwards[before]?.ids.length };
    };
    const first = await run();
    expect(first).toMatchObject({ cached: 0, prefill: 64 });
    expect(await run()).toEqual({ text: first.text, cached: 96, prefill: 4 });
    expect(await run({ cacheKey: 'another' })).toEqual({ text: first.text, cached: 0, prefill: 64 });
    expect(await run({ prompt: `${'x'.repeat(40)}y` })).toMatchObject({ cached: 40, prefill: 1 });
  });

  it('has it while the earlier one still runs', async () => {
    const { model, engine } = setUp(options);
    const first = (await engine.admit(request({ prompt }))).run();
    await first.next();
    const second = await engine.admit(request({ prompt }));
    expect(second.cachedTokens).toBe(96);
    await Promise.all([first.return(), second.release()]);
    expect(model.openCaches).toEqual([]);
  });

  it('is left by a request that was cancelled, as far as it got', async () => {
    const abort = new AbortController();
    const { engine } = setUp({
      ...options,
      onForward: (index) => {
        if (index === 0) abort.abort(new Error('gone'));
      },
    });
    await expect(collect(engine.generate(request({ prompt }), abort.signal))).rejects.toThrow('gone');
    expect((await engine.admit(request({ prompt }))).cachedTokens).toBe(64);
  });
});
