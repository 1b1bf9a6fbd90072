import { describe, expect, test } from 'vitest';
import { readTaggedEdit } from '../../src/api/edit/mercury.ts';
import { fakeApp, messages } from '../support/hosts/fake-app.ts';

const PATH = '/v1/edit/completions';

const tagged = (before: string, code: string, after: string) => `<|recently_viewed_code_snippets|>
<|/recently_viewed_code_snippets|>

<|current_file_content|>
current_file_path: src/a.ts
${before}<|code_to_edit|>
${code}
<|/code_to_edit|>${after}
<|/current_file_content|>

<|edit_diff_history|>
--- a
<|/edit_diff_history|>`;

describe('the plain form', () => {
  test('returns the code as edited, and what was changed', async () => {
    const { post, engine } = fakeApp();
    const body = {
      code: 'an old thing, old',
      instruction: 'renew',
      region: { start: 5, end: 17 },
      settings: { passes: 1 },
    };
    const { status, json } = await post(body, PATH);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      object: 'edit.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: 'an old thing, new' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 17, completion_tokens: 1 },
      seedling: {
        text: 'an old thing, new',
        diff: expect.stringContaining('+++'),
        edits: [{ start: 14, end: 17, old_text: 'old', new_text: 'new', confidence: 0.9, gain: 8 }],
        spans: [{ pass: 1, causal_prob: 0.001, accepted: true }],
        complete: true,
      },
    });
    const [request] = engine.edits;
    expect(request).toMatchObject({
      instruction: 'renew',
      region: { start: 5, end: 17 },
      settings: { passes: 1, tauEdit: 0.8 },
    });
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test.each(['a.py', null])('the name of the file goes with the instruction: %s', async (filename) => {
    const { post, engine } = fakeApp();
    await post({ code: 'old', instruction: 'renew', filename }, PATH);
    expect(engine.edits[0]).toMatchObject({ instruction: 'renew', filename });
  });

  test('code that stays is itself', async () => {
    const { json } = await fakeApp().post({ code: 'fine' }, PATH);
    expect(json.choices[0].message.content).toBe('fine');
    expect(json.seedling).toMatchObject({ diff: '', edits: [] });
  });
});

describe("Mercury's form", () => {
  const content = tagged('let a;\n', 'let <|cursor|>old;', '\nlet c;');
  const body = {
    messages: [
      { role: 'system', content: 'You edit.' },
      { role: 'user', content },
    ],
    max_tokens: 1024,
  };

  test('edits between the tags, with the file around them, and answers between fences', async () => {
    const { post, engine } = fakeApp();
    const { json } = await post(body, PATH);
    expect(engine.edits[0]).toMatchObject({ code: 'let a;\nlet old;\nlet c;', region: { start: 7, end: 15 } });
    const answer: string = json.choices[0].message.content;
    expect(answer).toBe('```\nlet new;\n\n```');
    // As Continue cuts it out.
    expect(answer.slice(answer.indexOf('```\n') + 4, answer.lastIndexOf('\n\n```'))).toBe('let new;');
    expect(json.seedling).toMatchObject({ text: 'let new;', edits: [{ start: 4, end: 7 }] });
  });

  test('streams as a chat: role, code, finish reason, [DONE]', async () => {
    const { post, engine } = fakeApp();
    const asked = { ...body, temperature: 0, presence_penalty: 1.5, stop: ['<|endoftext|>'], stream: true };
    const all = messages((await post(asked, PATH)).text);
    expect(all.pop()).toBe('[DONE]');
    expect(all.map(({ choices }) => choices[0])).toEqual([
      { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null },
      { index: 0, delta: { content: '```\nlet new;\n\n```' }, finish_reason: null },
      { index: 0, delta: {}, finish_reason: 'stop' },
    ]);
    expect(all.at(-1).seedling.text).toBe('let new;');
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test('with usage and spans for those who ask', async () => {
    const asked = { ...body, stream: true, diffusing: true, stream_options: { include_usage: true } };
    const all = messages((await fakeApp().post(asked, PATH)).text);
    expect(all.at(-2)).toMatchObject({ choices: [], usage: { completion_tokens: 1 } });
    expect(all[1]).toMatchObject({ choices: [{ delta: {} }], diffusing: { span: { start: 4, end: 7, text: 'old' } } });
  });

  test('a file that does not fit is cut around the code', async () => {
    const { post, engine } = fakeApp({ totalTokens: 200 });
    const lines = 'let x = 1;\n'.repeat(100);
    const long = tagged(lines, 'let old;', `\n${lines}`);
    const { status, json } = await post({ messages: [{ role: 'user', content: long }] }, PATH);
    expect([status, json.seedling.text]).toEqual([200, 'let new;']);
    expect(engine.edits[0]!.code.length).toBeLessThan(200);
    expect(engine.edits[0]!.code).toMatch(/^let x = 1;\n/);
  });

  test.each([
    ['a file', content, { before: 'let a;\n', code: 'let old;', after: '\nlet c;' }],
    ['no file around', '<|code_to_edit|>\nx\n<|/code_to_edit|>', { before: '', code: 'x', after: '' }],
    ['several lines', tagged('', 'a\nb\n', ''), { before: '', code: 'a\nb\n', after: '' }],
    [
      'CRLF',
      tagged('let a;\n', 'b', '\nlet c;').replaceAll('\n', '\r\n'),
      { before: 'let a;\r\n', code: 'b', after: '\r\nlet c;' },
    ],
    ['no code', '<|code_to_edit|>\nx', null],
    ['nothing', 'x', null],
  ])('%s', (_name, message, expected) => {
    expect(readTaggedEdit(message)).toEqual(expected);
  });
});

test('/v1/apply/completions says that it is not served', async () => {
  const { status, json } = await fakeApp().post({ messages: [] }, '/v1/apply/completions');
  expect([status, json.error.code]).toEqual([404, 'unsupported_endpoint']);
  expect(json.error.message).toContain('/v1/edit/completions');
});
