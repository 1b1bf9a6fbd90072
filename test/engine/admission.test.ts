import { describe, expect, it } from 'vitest';
import { RequestError } from '../../src/engine/request.ts';
import { OutOfMemoryError } from '../../src/model/errors.ts';
import { MASK } from '../support/byte-tokenizer.ts';
import type { FakeModelOptions } from '../support/fake-model.ts';
import { type Overrides, request, setUp } from './requests.ts';

describe('admit', () => {
  const refusal = (options: FakeModelOptions, overrides: Overrides) => {
    const { model, engine } = setUp(options);
    try {
      engine.admit(request(overrides));
    } catch (error) {
      expect(model.forwards).toEqual([]);
      expect(model.openCaches).toEqual([]);
      return error;
    }
    throw new Error('admitted');
  };

  it.each([
    ['the context of the model', { config: { contextLength: 24 } }],
    ['the pool', { poolTokens: 24 }],
  ])('refuses what is longer than %s, and takes what is exactly as long', (_, options) => {
    expect(refusal(options, { maxTokens: 20 })).toMatchObject({
      name: 'RequestError',
      code: 'context_length_exceeded',
      param: 'prompt',
      message: expect.stringMatching(/24 tokens.*25 tokens.*5 in the prompt, 20 in the completion/),
    });
    const { engine } = setUp(options);
    expect(engine.admit(request({ maxTokens: 19 })).promptTokens).toBe(5);
  });

  it.each([
    ['the mask', Int32Array.of(1, MASK)],
    ['an id past the vocabulary', Int32Array.of(259)],
    ['a negative id', Int32Array.of(-1)],
  ])('refuses %s in a prompt of ids', (_, prompt) => {
    expect(refusal({}, { prompt })).toMatchObject({ code: 'invalid_prompt', param: 'prompt' });
  });

  it.each([
    ['max_tokens', { maxTokens: 0 }],
    ['max_tokens', { maxTokens: 1.5 }],
    ['decoding.block_length', { decoding: { blockLength: 0 } }],
    ['decoding.steps', { decoding: { steps: Number.NaN } }],
  ])('refuses a senseless %s', (param, overrides) => {
    const error = refusal({}, overrides);
    expect(error).toBeInstanceOf(RequestError);
    expect(error).toMatchObject({ code: 'invalid_value', param });
  });

  it('passes on that there is no room now, and has room again afterwards', async () => {
    const { engine } = setUp({ poolTokens: 40 });
    const first = engine.admit(request());
    expect(() => engine.admit(request())).toThrow(OutOfMemoryError);
    await expect(engine.generate(request()).next()).rejects.toThrow(OutOfMemoryError);
    await first.release();
    await engine.admit(request()).release();
  });
});
