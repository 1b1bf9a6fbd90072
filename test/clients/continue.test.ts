/** Continue's calls, replayed, for its three providers that complete code; its parser's rules decide. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDeltas, readMistral, readTexts, unfenced } from '../support/clients/continue-parser.ts';
import { FAIL_LATE, NO_ROOM_NOW, SILENT } from '../support/engines/fake-engine.ts';
import { API_KEY, BEARER, ClientHost, ENDLESS, WRONG_KEY } from '../support/hosts/client-host.ts';

let host: ClientHost;
beforeAll(async () => {
  host = await ClientHost.start();
});
afterAll(() => host?.stop());

/** Autocomplete's own, the model family's and those of the file's language. */
const STOPS = [
  ...['<fim_prefix>', '<fim_suffix>', '<fim_middle>', '<file_sep>', '<|endoftext|>', '</fim_middle>', '</code>'],
  ...['/src/', '#- coding: utf-8', '```', '\nfunction', '\nclass', '\nmodule', '\nexport', '\nimport'],
];
const sampling = { max_tokens: 8, temperature: 0.01, top_p: 1, frequency_penalty: 0, presence_penalty: 0, stop: STOPS };
const SERVER_FAILED = 'Error streaming response: The server failed to answer this request.';

describe('Continue, mistral', () => {
  const PATH = '/v1/fim/completions';
  const headers = { ...BEARER, ...API_KEY, accept: 'application/json' };
  const body = { model: 'fake', prompt: 'let a = ', suffix: ';\n', ...sampling, stream: true };
  const ask = (fields: object) => host.post(PATH, { ...body, ...fields }, headers);

  test('infill: prefix and suffix, and all of its stop strings', async () => {
    expect((await readMistral(await ask({}))).join('')).toBe(' 0 1 2 3 4 5 6 7');
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n', maxTokens: 8, stop: STOPS });
  });

  test('complete: an empty suffix continues the prefix', async () => {
    expect((await readMistral(await ask({ suffix: '' }))).join('')).toBe(' 0 1 2 3 4 5 6 7');
    expect((await host.lastRequest()).suffix).toBeNull();
  });

  test('stream: every chunk has a choice with text, comments between them end nothing', async () => {
    expect(await readMistral(await ask({}))).toEqual([' 0 1 2 3', ' 4 5 6 7', '']);
    const silent = await ask({ prompt: SILENT, max_tokens: 40 });
    const raw = silent.clone();
    expect(await readMistral(silent)).toEqual(['']);
    expect(await raw.text()).toContain(': keep-alive\n');
  });

  test('cancel: the next keystroke frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, max_tokens: ENDLESS }, headers);
  });

  test('error: the body is what it shows; and the message of one in a stream', async () => {
    await expect(readMistral(await ask({ max_tokens: 0 }))).rejects.toThrow('max_tokens');
    await expect(readMistral(await ask({ prompt: NO_ROOM_NOW }))).rejects.toThrow('no room in time');
    await expect(readMistral(await ask({ prompt: FAIL_LATE }))).rejects.toThrow(SERVER_FAILED);
  });

  test('key: both headers, or either; a wrong one is shown', async () => {
    for (const sent of [headers, BEARER, API_KEY]) expect((await host.post(PATH, body, sent)).status).toBe(200);
    await expect(readMistral(await host.post(PATH, body, WRONG_KEY))).rejects.toThrow('Incorrect API key');
  });
});

describe('Continue, openai', () => {
  const PATH = '/v1/completions';
  const headers = { ...BEARER, 'api-key': 'unused' };
  /** Its fallback for a model name that it does not know. */
  const template = (prefix: string, suffix: string) => `<fim_prefix>${prefix}<fim_suffix>${suffix}<fim_middle>`;
  const body = { model: 'fake', prompt: template('let a = ', ';\n'), ...sampling, stream: true };
  const ask = (fields: object) => host.post(PATH, { ...body, ...fields }, headers);

  test('infill: a hole in the markers of Stable Code', async () => {
    expect((await readTexts(await ask({}))).join('')).toBe(' 0 1 2 3 4 5 6 7');
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n', stop: STOPS });
  });

  test('complete: a prompt without markers', async () => {
    expect((await readTexts(await ask({ prompt: 'let a = ' }))).join('')).toBe(' 0 1 2 3 4 5 6 7');
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: null });
  });

  test('stream: piece by piece', async () => {
    expect(await readTexts(await ask({}))).toEqual([' 0 1 2 3', ' 4 5 6 7']);
  });

  test('chat: with usage, as it always asks', async () => {
    const messages = [{ role: 'user', content: [{ type: 'text', text: 'sort it' }] }];
    const asked = { model: 'fake', messages, max_tokens: 8, stream: true, stream_options: { include_usage: true } };
    const pieces = await readDeltas(await host.post('/v1/chat/completions', asked, headers));
    expect(pieces).toEqual([' 0 1 2 3', ' 4 5 6 7']);
  });

  test('cancel: the next keystroke frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, max_tokens: ENDLESS }, headers);
  });

  test('error: the body is what it shows; and the message of one in a stream', async () => {
    await expect(readTexts(await ask({ temperature: 9 }))).rejects.toThrow('temperature');
    await expect(readTexts(await ask({ prompt: FAIL_LATE }))).rejects.toThrow(SERVER_FAILED);
  });

  test('key: as a bearer; a wrong one is shown', async () => {
    expect((await ask({})).status).toBe(200);
    await expect(readTexts(await host.post(PATH, body, WRONG_KEY))).rejects.toThrow('Incorrect API key');
  });
});

describe('Continue, inception', () => {
  const PATH = '/v1/completions';
  const EDIT_PATH = '/v1/edit/completions';
  const headers = { ...BEARER, accept: 'application/json' };
  const stop = ['```', '\n\n', '\n \n'];
  const body = { model: 'fake', prompt: 'let a = ', suffix: ';\n', ...sampling, stop, stream: true };
  const ask = (fields: object) => host.post(PATH, { ...body, ...fields }, headers);

  test('infill: prefix and suffix at /completions', async () => {
    expect((await readTexts(await ask({}))).join('')).toBe(' 0 1 2 3 4 5 6 7');
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n', stop });
  });

  test('complete: what it sends for an empty suffix is none', async () => {
    expect((await readTexts(await ask({ suffix: '<|endoftext|>' }))).join('')).toBe(' 0 1 2 3 4 5 6 7');
    expect((await host.lastRequest()).suffix).toBeNull();
  });

  test('stream: piece by piece', async () => {
    expect(await readTexts(await ask({}))).toEqual([' 0 1 2 3', ' 4 5 6 7']);
  });

  const content = [
    '<|recently_viewed_code_snippets|>\n<|/recently_viewed_code_snippets|>',
    '<|current_file_content|>\ncurrent_file_path: src/a.ts\nlet a;',
    '<|code_to_edit|>\nlet <|cursor|>old;\n<|/code_to_edit|>',
    'let c;\n<|/current_file_content|>',
    '<|edit_diff_history|>\n<|/edit_diff_history|>',
  ].join('\n');
  const edit = { model: 'fake', messages: [{ role: 'user', content }], max_tokens: 1024, temperature: 0, stream: true };

  test('edit: the next edit, streamed, between the fences that it cuts out', async () => {
    const answer = (await readDeltas(await host.post(EDIT_PATH, edit, headers))).join('');
    expect(unfenced(answer)).toBe('let new;');
    const whole = await host.post(EDIT_PATH, { ...edit, stream: false }, headers);
    const { choices } = (await whole.json()) as { choices: [{ message: { content: string } }] };
    expect(unfenced(choices[0].message.content)).toBe('let new;');
    expect((await host.state()).edit?.code).toContain('let old;');
  });

  test('cancel: the next keystroke frees the cache', async () => {
    await host.expectCancelFrees(PATH, { ...body, max_tokens: ENDLESS }, headers);
  });

  test('error: the body is what it shows, apply is refused in words', async () => {
    await expect(readTexts(await ask({ top_p: 0 }))).rejects.toThrow('top_p');
    await expect(readTexts(await ask({ prompt: FAIL_LATE }))).rejects.toThrow(SERVER_FAILED);
    const applied = await host.post('/v1/apply/completions', edit, headers);
    await expect(readDeltas(applied)).rejects.toThrow('does not serve /v1/apply/completions');
  });

  test('key: as a bearer; a wrong one is shown', async () => {
    for (const [path, sent] of [
      [PATH, body],
      [EDIT_PATH, edit],
    ] as const) {
      expect((await host.post(path, sent, headers)).status).toBe(200);
      await expect(readTexts(await host.post(path, sent, WRONG_KEY))).rejects.toThrow('Incorrect API key');
    }
  });
});
