/** OpenAI's sampling fields over HTTP: bounds, refusals, and what they do to a text. */
import { describe, expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { LIMITS } from '../engine/requests.ts';
import { ByteTokenizer, EOS, MASK } from '../support/engines/byte-tokenizer.ts';
import { FAKE_CONFIG } from '../support/engines/fake-engine.ts';
import { FakeModel, type FakeModelOptions } from '../support/engines/fake-model.ts';
import { fakeApp } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';

async function resolved(body: object) {
  const { post, engine } = fakeApp();
  const { status } = await post({ prompt: 'x', ...body });
  expect(status).toBe(200);
  return engine.requests[0];
}

async function refused(body: object) {
  const { post, engine } = fakeApp();
  const { status, json } = await post({ prompt: 'x', ...body });
  expect(engine.steps).toBe(0);
  return [status, json.error.code, json.error.param];
}

const biases = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, id) => [id + 2, 1]));

describe('bounds', () => {
  test.each([
    [{ top_k: 0 }, { topK: 0 }],
    [{ top_k: 999 }, { topK: 999 }],
    // As many as there are, or more, is all of them.
    [{ top_k: 1000 }, { topK: 0 }],
    [{ top_k: 2 ** 40 }, { topK: 0 }],
    [{ frequency_penalty: 0, presence_penalty: 0, logit_bias: {} }, { logitRules: null }],
    [{ logit_bias: { 5: 0 } }, { logitRules: null }],
    [{ min_p: 0.05 }, { minP: 0.05 }],
    [{ min_p: null }, { minP: 0 }],
    [{ repeat_penalty: 1.1 }, { logitRules: { repetition: { penalty: 1.1, window: 64 } } }],
    [{ repeat_penalty: 1.1, repeat_last_n: -1 }, { logitRules: { repetition: { penalty: 1.1, window: Infinity } } }],
    [{ repetition_penalty: 1.1 }, { logitRules: { repetition: { penalty: 1.1, window: Infinity } } }],
    [{ repetition_penalty: 1.1, repeat_last_n: 8 }, { logitRules: { repetition: { penalty: 1.1, window: 8 } } }],
    [{ repeat_penalty: 0.5, repetition_penalty: 0.5 }, { logitRules: { repetition: { penalty: 0.5 } } }],
    [{ repeat_penalty: 1, repeat_last_n: 64 }, { logitRules: null }],
    [{ repeat_penalty: 1.5, repeat_last_n: 0 }, { logitRules: null }],
    [{ frequency_penalty: -2 }, { logitRules: { frequencyPenalty: -2, presencePenalty: 0, logitBias: new Map() } }],
    [{ presence_penalty: 2 }, { logitRules: { frequencyPenalty: 0, presencePenalty: 2, logitBias: new Map() } }],
    [
      { logit_bias: { 0: 100, 999: -0.5 } },
      {
        logitRules: {
          frequencyPenalty: 0,
          presencePenalty: 0,
          logitBias: new Map([
            [0, 100],
            [999, -0.5],
          ]),
        },
      },
    ],
  ])('%j is served', async (body, expected) => {
    expect(await resolved(body)).toMatchObject(expected);
  });

  test.each([
    [{ top_k: -1 }, 'top_k', 'invalid_value'],
    [{ min_p: 1.1 }, 'min_p', 'invalid_value'],
    [{ min_p: -0.1 }, 'min_p', 'invalid_value'],
    [{ repeat_penalty: 0 }, 'repeat_penalty', 'invalid_value'],
    [{ repetition_penalty: '1' }, 'repetition_penalty', 'invalid_type'],
    [{ repeat_penalty: 1.1, repetition_penalty: 1.2 }, 'repetition_penalty', 'invalid_value'],
    [{ repeat_last_n: -2 }, 'repeat_last_n', 'invalid_value'],
    [{ top_k: 1.5 }, 'top_k', 'invalid_type'],
    [{ frequency_penalty: 2.1 }, 'frequency_penalty', 'invalid_value'],
    [{ frequency_penalty: '1' }, 'frequency_penalty', 'invalid_type'],
    [{ presence_penalty: -2.1 }, 'presence_penalty', 'invalid_value'],
    [{ logit_bias: [] }, 'logit_bias', 'invalid_type'],
    [{ logit_bias: 5 }, 'logit_bias', 'invalid_type'],
    [{ logit_bias: { 5: '1' } }, 'logit_bias', 'invalid_type'],
    [{ logit_bias: { 5: null } }, 'logit_bias', 'invalid_type'],
    [{ logit_bias: { 5: 100.5 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: { 5: -101 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: { five: 1 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: { '05': 1 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: { '-5': 1 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: { '': 1 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: { 1000: 1 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: { [FAKE_CONFIG.maskTokenId]: 1 } }, 'logit_bias', 'invalid_value'],
    [{ logit_bias: biases(1025) }, 'logit_bias', 'invalid_value'],
  ])('%j is refused', async (body, param, code) => {
    expect(await refused(body)).toEqual([400, code, param]);
  });

  test('a bias of JSON infinity, of a prototype, or of very many ids is refused', async () => {
    for (const bias of ['{"5":1e999}', '{"__proto__":1}', '{"constructor":1}', JSON.stringify(biases(60_000))]) {
      const answer = await fakeApp().postRaw(`{"prompt":"x","logit_bias":${bias}}`);
      expect([answer.status, answer.json.error.code, answer.json.error.param]).toEqual([
        400,
        'invalid_value',
        'logit_bias',
      ]);
      expect(answer.text.length).toBeLessThan(400);
    }
  });

  test('they are in the API description', async () => {
    const { json } = await fakeApp().ask('/openapi.json');
    const { properties } = json.components.schemas.CompletionRequest;
    expect(properties.frequency_penalty).toMatchObject({ minimum: -2, maximum: 2 });
    expect(properties.presence_penalty).toMatchObject({ minimum: -2, maximum: 2 });
    expect(properties.top_k).toMatchObject({ minimum: 0 });
    expect(properties.logit_bias.additionalProperties).toEqual({ type: 'number', minimum: -100, maximum: 100 });
  });
});

describe('a text', () => {
  /** A completion of the real engine and sampler over a model that is a table. */
  async function text(options: FakeModelOptions, body: object): Promise<string> {
    const load = async () => new Engine(new FakeModel(options), new ByteTokenizer(), LIMITS);
    const settings = { maxTokens: 100, bodyLimitBytes: 100_000, unknownFields: 'ignore' as const };
    const app = openApp(createHost({ modelName: 'fake', settings, load }));
    const response = await app.request('/v1/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'let x', max_tokens: 12, ...body }),
    });
    expect(response.status).toBe(200);
    const { choices } = (await response.json()) as { choices: { text: string }[] };
    return choices[0]?.text ?? '';
  }

  const A = 'a'.charCodeAt(0);
  const onlyA = { next: () => A };

  test('never holds a banned id, and holds a forced one', async () => {
    expect(await text(onlyA, {})).toBe('aaaaaaaaaaaa');
    expect(await text(onlyA, { logit_bias: { [A]: -100 } })).not.toContain('a');
    expect(await text(onlyA, { logit_bias: { [A + 1]: 100 } })).toBe('bbbbbbbbbbbb');
    expect(await text(onlyA, { logit_bias: { [EOS]: 100 } })).toBe('');
  });

  test('is refused a bias of the mask', async () => {
    await expect(text(onlyA, { logit_bias: { [MASK]: 100 } })).rejects.toThrow('400');
  });

  test.each([1, 4, 8])('does not depend on the block length where a bias alone applies (%i)', async (block_length) => {
    const biased = { logit_bias: { [A]: -3, [A + 5]: 3 }, decoding: { block_length } };
    expect(await text(onlyA, biased)).toBe('ffffffffffff');
  });

  test('repeats less under a penalty, greedy as it is', async () => {
    // The fake's best id leads by 5: with 2 + 2 taken after the first time, and 2 more each time, it lasts twice.
    const got = await text(onlyA, { frequency_penalty: 2, presence_penalty: 2, decoding: { block_length: 1 } });
    expect(got.slice(0, 2)).toBe('aa');
    expect(got.slice(2)).not.toContain('a');
  });

  test('is the same for the same seed', async () => {
    const body = { temperature: 1, seed: 5, top_k: 10, presence_penalty: 1 };
    const first = await text({}, body);
    expect(await text({}, body)).toBe(first);
    expect(await text({}, { ...body, seed: 6 })).not.toBe(first);
  });
});
