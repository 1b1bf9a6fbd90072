/** llama.vscode's calls, replayed; and its OpenAI mode, which is the package `openai`. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { NO_ROOM_NOW } from '../support/engines/fake-engine.ts';
import { BEARER, ClientHost, ENDLESS, WRONG_KEY } from '../support/hosts/client-host.ts';
import { EDITOR_KEY } from '../support/hosts/client-service.ts';

let host: ClientHost;
beforeAll(async () => {
  host = await ClientHost.start();
});
afterAll(() => host?.stop());

/** What it shows of an answer: the text, and these numbers beside it. */
const shown = z.object({
  content: z.string(),
  tokens_cached: z.number(),
  truncated: z.boolean(),
  generation_settings: z.object({}),
  timings: z.object({
    prompt_n: z.number(),
    prompt_ms: z.number(),
    prompt_per_second: z.number(),
    predicted_n: z.number(),
    predicted_ms: z.number(),
    predicted_per_second: z.number(),
  }),
});

/** An object for one completion, an array for several. It takes a 200 only, and reports other statuses as an error. */
async function contents(response: Response): Promise<readonly string[]> {
  if (response.status !== 200) throw new Error(`Request failed with status code ${response.status}`);
  const body: unknown = await response.json();
  return z
    .array(shown)
    .parse(Array.isArray(body) ? body : [body])
    .map(({ content }) => content);
}

describe('llama.vscode', () => {
  const PATH = '/infill';
  const body = {
    input_prefix: 'let q;\n',
    input_suffix: ';\n',
    input_extra: [{ text: 'let z;', time: 1700000000000, filename: 'z.ts' }],
    prompt: 'let a = ',
    n_predict: 8,
    top_k: 40,
    top_p: 0.99,
    stream: false,
    samplers: ['top_k', 'top_p', 'infill'],
    cache_prompt: true,
    n_indent: 2,
    t_max_prompt_ms: 500,
    t_max_predict_ms: 2500,
    id_slot: 0,
    n_cmpl: 1,
  };
  const ask = async (fields: object, headers = BEARER) =>
    contents(await host.post(PATH, { ...body, ...fields }, headers));

  test('infill: other files, prefix, the line that is begun, suffix', async () => {
    expect(await ask({})).toEqual([' 0 1 2 3 4 5 6 7']);
    expect(await host.lastRequest()).toMatchObject({
      context: '// z.ts\nlet z;\n',
      prompt: 'let q;\nlet a = ',
      suffix: ';\n',
      maxTokens: 8,
      timeLimitMs: 2500,
    });
  });

  test('infill: several candidates are an array', async () => {
    expect(await ask({ n_cmpl: 3 })).toEqual(Array.from({ length: 3 }, () => ' 0 1 2 3 4 5 6 7'));
  });

  test('infill: n_predict 0 only warms the cache', async () => {
    const warming = {
      ...{ input_prefix: '', input_suffix: '', input_extra: body.input_extra, prompt: '', n_predict: 0, samplers: [] },
      ...{ cache_prompt: true, t_max_prompt_ms: 500, t_max_predict_ms: 1 },
    };
    expect(await contents(await host.post(PATH, warming, BEARER))).toEqual(['']);
    expect(await host.lastRequest()).toMatchObject({ context: '// z.ts\nlet z;\n', prompt: '', maxTokens: 0 });
  });

  test('complete: its OpenAI mode, with files in front of a prompt in the markers of Qwen', async () => {
    const client = new OpenAI({ baseURL: host.v1, apiKey: EDITOR_KEY, maxRetries: 0 });
    const prompt = 'Context:\n\nlet z;<|fim_prefix|>let a = <|fim_suffix|>;\n<|fim_middle|>';
    const { choices } = await client.completions.create({
      model: 'fake',
      prompt,
      max_tokens: 8,
      temperature: 0.1,
      top_p: 0.99,
      stream: false,
    });
    expect(choices[0]?.text).toBe(' 0 1 2 3 4 5 6 7');
    expect(await host.lastRequest()).toMatchObject({ prompt: 'Context:\n\nlet z;let a = ', suffix: ';\n' });
  });

  test('chat: an edit of the selection, with the samplers of llama.cpp', async () => {
    const asked = {
      messages: [
        { role: 'system', content: 'You are an expert coder.' },
        { role: 'user', content: 'sort it' },
      ],
      ...{ stream: false, cache_prompt: true, samplers: 'edkypmxt', temperature: 0.8, dynatemp_range: 0 },
      ...{ dynatemp_exponent: 1, top_k: 40, top_p: 0.95, min_p: 0.05, typical_p: 1, xtc_probability: 0 },
      ...{ xtc_threshold: 0.1, repeat_last_n: 64, repeat_penalty: 1, presence_penalty: 0, frequency_penalty: 0 },
      ...{ dry_multiplier: 0, dry_base: 1.75, dry_allowed_length: 2, dry_penalty_last_n: -1, max_tokens: -1 },
      timings_per_token: false,
    };
    const response = await host.post('/v1/chat/completions', asked, BEARER);
    const { choices } = (await response.json()) as OpenAI.ChatCompletion;
    expect(choices[0]?.message.content).toMatch(/^ 0 1 2 3/);
  });

  test('cancel: an aborted request frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, n_predict: ENDLESS, t_max_predict_ms: 0 }, BEARER);
  });

  test('error: a status that it reports', async () => {
    await expect(ask({ n_predict: -7 })).rejects.toThrow('status code 400');
    await expect(ask({ input_prefix: '', input_extra: [], prompt: NO_ROOM_NOW })).rejects.toThrow('status code 503');
  });

  test('key: as a bearer, which /health does not need; a wrong one is reported', async () => {
    expect((await host.get('/health', {})).status).toBe(200);
    await expect(ask({}, WRONG_KEY)).rejects.toThrow('status code 401');
    expect(await ask({})).toHaveLength(1);
  });
});
