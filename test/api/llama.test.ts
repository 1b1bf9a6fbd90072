import { describe, expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { dotProduct } from '../../src/kernels/dot-product.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { FAKE_CACHED_TOKENS, FAKE_CODER, FAKE_CONFIG } from '../support/engines/fake-engine.ts';
import { Bench, flavours } from '../support/engines/kernels.ts';
import { convertFixture, wasmModel } from '../support/engines/models.ts';
import { fakeApp, messages } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';

describe('/completion', () => {
  const PATH = '/completion';

  test('one body', async () => {
    const { post, engine } = fakeApp();
    const { json } = await post({ prompt: 'abc', n_predict: 3, seed: 2, stop: ['x'], temperature: 0.5 }, PATH);
    expect(json).toMatchObject({
      index: 0,
      content: ' 0 1 2',
      stop: true,
      stop_type: 'limit',
      stopping_word: '',
      model: 'fake',
      prompt: 'abc',
      tokens_predicted: 3,
      tokens_evaluated: 3,
      tokens_cached: FAKE_CACHED_TOKENS,
      truncated: false,
      has_new_line: false,
      generation_settings: { n_predict: 3, seed: 2, temperature: 0.5, stop: ['x'] },
      timings: { predicted_n: 3, predicted_ms: 2, predicted_per_second: 1500, prompt_n: 1 },
    });
    expect(engine.requests[0]).toMatchObject({ prompt: 'abc', maxTokens: 3, timeLimitMs: null });
  });

  test('a stream in its own shape: content and stop in each, nothing after the last', async () => {
    const { post } = fakeApp();
    // Tabby's request.
    const body = {
      seed: 1,
      prompt: 'abc',
      n_predict: 6,
      temperature: 0.1,
      stream: true,
      penalty_last_n: 0,
      presence_penalty: 0,
    };
    const { text, headers } = await post(body, PATH);
    expect(headers.get('content-type')).toContain('text/event-stream');
    const all = messages(text);
    expect(all.map(({ content, stop }) => [content, stop])).toEqual([
      [' 0 1 2 3', false],
      [' 4 5', false],
      ['', true],
    ]);
    expect(all.at(-1)).toMatchObject({ tokens_predicted: 6, stop_type: 'limit' });
  });

  test.each([
    [{ n_predict: 0 }, 0],
    [{ n_predict: -1 }, 1024],
    [{ max_tokens: 7 }, 7],
    [{}, 128],
  ])('%j', async (fields, expected) => {
    const { post, engine } = fakeApp();
    expect((await post({ prompt: 'a', ...fields }, PATH)).status).toBe(200);
    expect(engine.requests[0]?.maxTokens).toBe(expected);
  });

  test("a prompt in a template's markers is a hole", async () => {
    const { post, engine } = fakeApp({ config: FAKE_CODER });
    const { json } = await post({ prompt: '<PRE> a <SUF>b <MID>', n_predict: 2 }, PATH);
    expect(engine.requests[0]).toMatchObject({ prompt: 'a', suffix: 'b', maxTokens: 2 });
    expect(json.prompt).toBe('<PRE> a <SUF>b <MID>');
  });

  test('several are an array', async () => {
    const { json } = await fakeApp().post({ prompt: 'a', n_predict: 2, n_cmpl: 3 }, PATH);
    expect(json.map(({ index, content }: { index: number; content: string }) => [index, content])).toEqual([
      [0, ' 0 1'],
      [1, ' 0 1'],
      [2, ' 0 1'],
    ]);
  });
});

describe('/infill', () => {
  const PATH = '/infill';
  /** As llama.vscode asks. */
  const asked = {
    input_prefix: 'let a;\n',
    input_suffix: '\nlet c;',
    input_extra: [{ text: 'let q;', time: 1, filename: 'q.ts' }],
    prompt: 'let b',
    n_predict: 12,
    top_k: 40,
    top_p: 0.99,
    stream: false,
    samplers: ['top_k', 'top_p', 'infill'],
    cache_prompt: true,
    n_indent: 2,
    t_max_prompt_ms: 500,
    t_max_predict_ms: 2500,
    id_slot: 0,
  };

  test('puts other files and what is begun around the hole', async () => {
    const { post, engine } = fakeApp({ config: FAKE_CODER });
    const { status, json } = await post(asked, PATH);
    expect(status).toBe(200);
    expect(engine.requests[0]).toMatchObject({
      context: '// q.ts\nlet q;\n',
      prompt: 'let a;\nlet b',
      suffix: '\nlet c;',
      maxTokens: 12,
      timeLimitMs: 2500,
      topK: 40,
      topP: 0.99,
    });
    expect(json).toMatchObject({ stop: true, truncated: false });
  });

  test('n_predict 0 only runs the prompt, framed as the holes after it', async () => {
    const { post, engine } = fakeApp({ config: FAKE_CODER });
    const warming = {
      ...asked,
      input_prefix: '',
      input_suffix: '',
      prompt: '',
      n_predict: 0,
      samplers: [],
      t_max_predict_ms: 1,
    };
    const { json } = await post(warming, PATH);
    expect(json).toMatchObject({ content: '', stop: true, tokens_predicted: 0 });
    expect(engine.requests[0]).toMatchObject({ context: '// q.ts\nlet q;\n', prompt: '', suffix: '', maxTokens: 0 });
  });

  test('what does not fit is cut, lines near the hole stay', async () => {
    const { post, engine } = fakeApp({ config: FAKE_CODER, totalTokens: 100 });
    const lines = (name: string) => Array.from({ length: 50 }, (_, i) => `${name}${i};\n`).join('');
    const body = { ...asked, input_prefix: lines('a'), input_suffix: lines('b'), prompt: 'x', n_predict: 20 };
    const { json } = await post(body, PATH);
    expect(json.truncated).toBe(true);
    const { prompt, suffix } = engine.requests[0]!;
    expect(prompt).toMatch(/^a\d+;\n(a\d+;\n)*a49;\nx$/);
    expect(suffix).toMatch(/^b0;\n(b\d+;\n)*$/);
    expect(String(prompt).length + (suffix ?? '').length).toBeLessThanOrEqual(72);
  });

  test('a model without holes says so', async () => {
    const { status, json } = await fakeApp({ config: FAKE_CONFIG }).post(asked, PATH);
    expect([status, json.error.param]).toEqual([400, 'input_suffix']);
  });
});

test('other files are named in a comment of their own language', async () => {
  const { post, engine } = fakeApp({ config: FAKE_CODER });
  const input_extra = [
    { filename: 'lib/a.py', text: 'x = 1' },
    { filename: 'b.sql', text: 'select 1;' },
    { filename: 'c.html', text: '<p>' },
    { filename: 'd.ts', text: 'let d;' },
    { text: 'no name' },
  ];
  await post({ input_prefix: 'a', input_suffix: 'b', input_extra }, '/infill');
  expect(engine.requests[0]?.context).toBe(
    '# lib/a.py\nx = 1\n-- b.sql\nselect 1;\n<!-- c.html -->\n<p>\n// d.ts\nlet d;\nno name\n',
  );
});

describe('tokens and properties', () => {
  test("/tokenize and /detokenize are each other's inverse", async () => {
    const { post } = fakeApp();
    const { json } = await post({ content: 'let', add_special: true }, '/tokenize');
    expect(json).toEqual({ tokens: [108, 101, 116] });
    expect((await post({ tokens: json.tokens }, '/detokenize')).json).toEqual({ content: 'let' });
    const pieces = await post({ content: 'l', with_pieces: true }, '/tokenize');
    expect(pieces.json).toEqual({ tokens: [{ id: 108, piece: 'l' }] });
    expect((await post({ tokens: [] }, '/detokenize')).json).toEqual({ content: '' });
  });

  test('/props tells what runs', async () => {
    const { json } = await fakeApp({ config: FAKE_CODER, limits: { concurrency: 1 } }).ask('/props');
    expect(json).toMatchObject({
      default_generation_settings: { n_ctx: 2048, params: { n_predict: 128, temperature: 0, top_k: 0, top_p: 1 } },
      model_alias: 'fake',
      total_slots: 1,
      chat_template: FAKE_CODER.chatTemplate?.template,
      seedling: { runtime: 'scalar', dot: null, infill: true },
    });
  });

  test.each(flavours)('/props names the dot product of the kernels, %s', async (flavour) => {
    const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), flavour);
    const engine = new Engine(model, new ByteTokenizer(), { concurrency: 1, waiting: 1, seconds: 1 });
    const settings = { maxTokens: 1000, bodyLimitBytes: 4096, unknownFields: 'ignore' as const };
    const app = openApp(createHost({ modelName: 'tiny', settings, load: async () => engine }));
    const { seedling } = (await (await app.request('/props')).json()) as { seedling: object };
    const dot = dotProduct(new Bench(flavour, 1 << 16).kernels);
    expect(seedling).toMatchObject({ runtime: 'wasm', dot });
    expect(dot === 'plain').toBe(flavour === 'simd');
  });

  test.each([
    [64, 16, 64, 16],
    [127, 3, 127, 3],
    [128, 1, 128, 1],
    [4000, 2, 128, 2],
  ])('/props of a server with MAX_TOKENS %d and CONCURRENCY %d', async (maxTokens, concurrency, n_predict, slots) => {
    const { ask, post, engine } = fakeApp({ limits: { concurrency } }, maxTokens);
    const { json } = await ask('/props');
    expect([json.default_generation_settings.params.n_predict, json.total_slots]).toEqual([n_predict, slots]);
    // It is what a request without a number gets.
    await post({ prompt: 'abc' }, '/completion');
    expect(engine.requests[0]?.maxTokens).toBe(n_predict);
  });
});
