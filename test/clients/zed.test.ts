/** Zed's calls to `open_ai_compatible_api`, replayed: one body, the prompt already in some family's template. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readZed } from '../support/clients/zed-parser.ts';
import { NO_ROOM_NOW } from '../support/engines/fake-engine.ts';
import { BEARER, ClientHost, ENDLESS, WRONG_KEY } from '../support/hosts/client-host.ts';

let host: ClientHost;
beforeAll(async () => {
  host = await ClientHost.start();
});
afterAll(() => host?.stop());

describe('Zed', () => {
  const PATH = '/v1/completions';
  const body = {
    model: 'fake',
    prompt: '<|fim_prefix|>let a = <|fim_suffix|>;\n<|fim_middle|>',
    max_tokens: 8,
    stop: ['<|endoftext|>', '<|file_sep|>', '<|fim_pad|>', '<|repo_name|>'],
  };
  const ask = (fields: object) => host.post(PATH, { ...body, ...fields }, BEARER);

  test.each([
    ['qwen', body.prompt],
    ['star_coder', '<fim_prefix>let a = <fim_suffix>;\n<fim_middle>'],
    ['code_llama', '<PRE> let a =  <SUF>;\n <MID>'],
    ['deepseek_coder', '<｜fim▁begin｜>let a = <｜fim▁hole｜>;\n<｜fim▁end｜>'],
    ['codestral', '[SUFFIX];\n[PREFIX]let a = '],
    ['glm', '<|code_prefix|>let a = <|code_suffix|>;\n<|code_middle|>'],
  ])('infill: prompt_format %s', async (_format, prompt) => {
    expect(await readZed(await ask({ prompt }))).toBe(' 0 1 2 3 4 5 6 7');
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n', stop: body.stop });
  });

  test('complete: a prompt without markers', async () => {
    expect(await readZed(await ask({ prompt: 'let a = ', stop: [] }))).toBe(' 0 1 2 3 4 5 6 7');
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: null, stop: [] });
  });

  test('cancel: an aborted request frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, max_tokens: ENDLESS }, BEARER);
  });

  test('error: status and body are in its log', async () => {
    await expect(readZed(await ask({ max_tokens: 0 }))).rejects.toThrow(/custom server error: 400 - .*max_tokens/);
    await expect(readZed(await ask({ prompt: NO_ROOM_NOW }))).rejects.toThrow(/503 - .*no room in time/);
  });

  test('key: as a bearer; a wrong one is in its log', async () => {
    expect(await readZed(await ask({}))).toBe(' 0 1 2 3 4 5 6 7');
    await expect(readZed(await host.post(PATH, body, WRONG_KEY))).rejects.toThrow(/401 - .*Incorrect API key/);
  });
});
