/** Tabby's calls, replayed, for its kinds of completion over HTTP; its parser's rules decide. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { READERS, readTabby } from '../support/clients/tabby-parser.ts';
import { FAIL_LATE, SILENT } from '../support/engines/fake-engine.ts';
import { BEARER, ClientHost, ENDLESS, WRONG_KEY } from '../support/hosts/client-host.ts';

let host: ClientHost;
beforeAll(async () => {
  host = await ClientHost.start();
});
afterAll(() => host?.stop());

const WHOLE = { pieces: [' 0 1 2 3', ' 4 5 6 7', ''], ended: 'last message' };
/** An empty suggestion: what Tabby makes of a status that is not 200. */
const NOTHING = { pieces: [], ended: null };

describe('Tabby, openai/completion', () => {
  const PATH = '/v1/completions';
  const read = READERS['openai/completion'];
  const body = {
    model: 'fake',
    prompt: 'let a = ',
    suffix: ';\n' as string | null,
    max_tokens: 8,
    temperature: 0.1,
    stream: true,
    presence_penalty: 0,
  };
  const ask = async (fields: object) => readTabby(await host.post(PATH, { ...body, ...fields }, BEARER), read);

  test('infill: prefix and suffix', async () => {
    expect(await ask({})).toEqual(WHOLE);
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n', maxTokens: 8 });
  });

  test('complete: a suffix of null', async () => {
    expect(await ask({ suffix: null })).toEqual(WHOLE);
    expect((await host.lastRequest()).suffix).toBeNull();
  });

  test('stream: the chunk with the finish reason has a text too, and comments are no messages', async () => {
    expect(await ask({ prompt: SILENT, max_tokens: 40 })).toEqual({ pieces: [''], ended: 'last message' });
  });

  test('cancel: hanging up frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, max_tokens: ENDLESS }, BEARER);
  });

  test('error: a status is an empty suggestion; one in a stream is a panic of that task, after the text', async () => {
    expect(await ask({ temperature: 9 })).toEqual(NOTHING);
    await expect(ask({ prompt: FAIL_LATE })).rejects.toThrow('choices');
  });

  test('key: as a bearer; a wrong one is an empty suggestion', async () => {
    expect(await readTabby(await host.post(PATH, body, WRONG_KEY), read)).toEqual(NOTHING);
    expect(await readTabby(await host.post(PATH, body, BEARER), read)).toEqual(WHOLE);
  });
});

describe('Tabby, mistral/completion', () => {
  const PATH = '/v1/fim/completions';
  const read = READERS['mistral/completion'];
  const body = {
    prompt: 'let a = ',
    suffix: ';\n' as string | null,
    model: 'fake',
    temperature: 0.1,
    max_tokens: 8,
    stream: true,
    random_seed: 1,
  };
  const ask = async (fields: object) => readTabby(await host.post(PATH, { ...body, ...fields }, BEARER), read);

  test('infill: prefix, suffix and seed', async () => {
    expect(await ask({})).toEqual(WHOLE);
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n', seed: 1 });
  });

  test('complete: a suffix of null', async () => {
    expect(await ask({ suffix: null })).toEqual(WHOLE);
    expect((await host.lastRequest()).suffix).toBeNull();
  });

  test('stream: every delta has its content, that of the finish reason too', async () => {
    expect(await ask({ prompt: SILENT, max_tokens: 40 })).toEqual({ pieces: [''], ended: 'last message' });
  });

  test('cancel: hanging up frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, max_tokens: ENDLESS }, BEARER);
  });

  test('error: a status is an empty suggestion; one in a stream is a panic of that task, after the text', async () => {
    expect(await ask({ max_tokens: 0 })).toEqual(NOTHING);
    await expect(ask({ prompt: FAIL_LATE })).rejects.toThrow('choices');
  });

  test('key: as a bearer; a wrong one is an empty suggestion', async () => {
    expect(await readTabby(await host.post(PATH, body, WRONG_KEY), read)).toEqual(NOTHING);
    expect(await readTabby(await host.post(PATH, body, BEARER), read)).toEqual(WHOLE);
  });
});

describe('Tabby, llama.cpp/completion', () => {
  const PATH = '/completion';
  const read = READERS['llama.cpp/completion'];
  const body = {
    seed: 1,
    prompt: 'let a = ',
    n_predict: 8,
    temperature: 0.1,
    stream: true,
    penalty_last_n: 0,
    presence_penalty: 0,
  };
  const ask = async (fields: object) => readTabby(await host.post(PATH, { ...body, ...fields }, BEARER), read);

  test('complete: content until stop', async () => {
    expect(await ask({})).toEqual(WHOLE);
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: null, maxTokens: 8, seed: 1 });
  });

  test('infill: a hole in the markers of its prompt_template', async () => {
    expect(await ask({ prompt: '<|fim_prefix|>let a = <|fim_suffix|>;\n<|fim_middle|>' })).toEqual(WHOLE);
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n' });
  });

  test('stream: content and stop in every message, and nothing behind the last', async () => {
    const response = await host.post(PATH, body, BEARER);
    const raw = response.clone();
    expect(await readTabby(response, read)).toEqual(WHOLE);
    expect(await raw.text()).not.toContain('[DONE]');
  });

  test('cancel: hanging up frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, n_predict: ENDLESS }, BEARER);
  });

  test('error: a status is an empty suggestion; one in a stream is a panic of that task, after the text', async () => {
    expect(await ask({ seed: 'x' })).toEqual(NOTHING);
    await expect(ask({ prompt: FAIL_LATE })).rejects.toThrow('content');
  });

  test('key: as a bearer; a wrong one is an empty suggestion', async () => {
    expect(await readTabby(await host.post(PATH, body, WRONG_KEY), read)).toEqual(NOTHING);
    expect(await readTabby(await host.post(PATH, body, BEARER), read)).toEqual(WHOLE);
  });
});
