/** C6: holes in files with line breaks of their own, and at the starts of lines. */
import { describe, expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { ByteTokenizer, EOS } from '../support/engines/byte-tokenizer.ts';
import { FakeModel } from '../support/engines/fake-model.ts';
import { messages } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';

const FRAME = { prefix: 260, suffix: 261, middle: 262, end: null, order: 'prefix_first' } as const;

/** A byte for a token. @param says what the model writes, in a hole or after a text, and then an end */
function serve(says: string) {
  const written = new TextEncoder().encode(says);
  const model = new FakeModel({
    config: { vocabSize: 263, infill: FRAME },
    next: (ids) => written[ids.length - prompted] ?? EOS,
  });
  let prompted = 0;
  const engine = new Engine(model, new ByteTokenizer(), { concurrency: 1, waiting: 1, seconds: 1 });
  const settings = { maxTokens: 1000, bodyLimitBytes: 1 << 20, unknownFields: 'ignore' as const };
  const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
  /** @param tokens of the prompt, frame included */
  async function post(path: string, body: object, tokens: number): Promise<string> {
    prompted = tokens;
    model.forwards.length = 0;
    const headers = { 'content-type': 'application/json' };
    const response = await app.request(path, { method: 'POST', headers, body: JSON.stringify({ ...body, seed: 1 }) });
    const text = await response.text();
    expect([response.status, text]).toEqual([200, text]);
    return text;
  }
  /** What the model was given first, in words. */
  const read = (): string =>
    (model.forwards[0]?.ids ?? [])
      .slice(0, prompted)
      .map((id) => ({ 258: '', 260: '<P>', 261: '<S>', 262: '<M>' })[id] ?? String.fromCharCode(id))
      .join('');
  return { post, read };
}

interface Hole {
  readonly prefix: string;
  readonly suffix: string;
  readonly stop?: readonly string[];
  readonly extra?: string;
}

/** The routes that fill holes, each whole and in a stream. */
const ROUTES = {
  '/v1/completions': ({ prefix, suffix, stop = [] }: Hole) => ({ prompt: prefix, suffix, stop, max_tokens: 60 }),
  '/v1/fim/completions': ({ prefix, suffix, stop = [] }: Hole) => ({ prompt: prefix, suffix, stop, max_tokens: 60 }),
  '/infill': ({ prefix, suffix, stop = [], extra }: Hole) => ({
    input_prefix: prefix,
    input_suffix: suffix,
    input_extra: extra === undefined ? [] : [{ text: extra }],
    stop,
    n_predict: 60,
  }),
};
type Route = keyof typeof ROUTES;

function textOf(answer: string, stream: boolean): string {
  const all = stream ? messages(answer).filter((chunk) => chunk !== '[DONE]') : [JSON.parse(answer)];
  return all.map((chunk) => chunk.content ?? chunk.choices[0]?.text ?? '').join('');
}

const lines = (text: string) => text.replace(/\r\n?/g, '\n');

/** The hole's answer on each route, whole and streamed, which must be one; and what the model was given. */
async function fill(hole: Hole, says: string, routes = Object.keys(ROUTES) as Route[]) {
  const answers = new Set<string>();
  const prompts = new Set<string>();
  for (const route of routes) {
    for (const stream of [false, true]) {
      const { post, read } = serve(says);
      const others = hole.extra === undefined ? '' : `${lines(hole.extra)}\n`;
      const given = lines(hole.prefix + hole.suffix) + others;
      // The frame of a hole has three tokens.
      const tokens = given.length + (hole.suffix === '' ? 0 : 3);
      const answer = await post(route, { ...ROUTES[route](hole), stream }, tokens);
      answers.add(textOf(answer, stream));
      prompts.add(read());
    }
  }
  expect([...answers]).toHaveLength(1);
  expect([...prompts]).toHaveLength(1);
  return { text: [...answers][0]!, prompt: [...prompts][0]! };
}

const DEF = 'def add(a, b):\r\n    result = a + b\r\n';
const RETURN = '    return result\r\n\r\nprint(add(1, 2))\r\n';

describe("LF to the model, the file's own line breaks back", () => {
  test.each<[string, Hole, says: string, text: string]>([
    ['CRLF', { prefix: 'a\r\nb', suffix: 'c\r\n' }, 'x\ny', 'x\r\ny'],
    ['CRLF that the model writes itself', { prefix: 'a\r\nb', suffix: 'c\r\n' }, 'x\r\ny', 'x\r\ny'],
    ['LF, though the model writes CRLF', { prefix: 'a\nb', suffix: 'c\n' }, 'x\r\ny', 'x\ny'],
    ['CRLF in the suffix alone', { prefix: 'b', suffix: 'c\r\n' }, 'x\ny', 'x\r\ny'],
    ['CRLF in the prefix alone', { prefix: 'a\r\n', suffix: ' = c' }, 'x\ny', 'x\r\ny'],
    ['one line', { prefix: 'a', suffix: 'c' }, 'x\ny', 'x\ny'],
    ['lone CR', { prefix: 'a\rb', suffix: 'c\r' }, 'x\ny', 'x\ry'],
    ['a CR within a line of LF', { prefix: 'a\nb\r', suffix: 'c\n' }, 'x\ny', 'x\ny'],
    ['a CR within a line of CRLF', { prefix: 'a\r\nb\rb', suffix: 'c' }, 'x\ny', 'x\r\ny'],
    ['mixed, CRLF nearest before', { prefix: 'a\nb\r\nb', suffix: 'c\nd\n' }, 'x\ny', 'x\r\ny'],
    ['mixed, LF nearest before', { prefix: 'a\r\nb\nb', suffix: 'c\r\nd\r\n' }, 'x\ny', 'x\ny'],
    ['mixed, none before', { prefix: 'b', suffix: 'c\r\nd\n' }, 'x\ny', 'x\r\ny'],
    ['the start of the file', { prefix: '', suffix: 'c\r\n' }, 'x\ny', 'x\r\ny'],
    ['the end of the file', { prefix: 'a\r\n', suffix: '' }, 'x\ny', 'x\r\ny'],
    ['a suffix of a line break', { prefix: 'a\r\nb', suffix: '\r\n' }, 'x\ny', 'x\r\ny'],
    ["a suffix of a line break, the file's only one", { prefix: 'b', suffix: '\r\n' }, 'x\ny', 'x\r\ny'],
    ['a suffix that is written again', { prefix: DEF, suffix: RETURN }, '    return result\n\nprint(add', ''],
    ['its CRLF twin', { prefix: DEF, suffix: RETURN }, '    return result\r\n\r\nprint(add', ''],
    ['a suffix that ends the hole', { prefix: 'f(a\r\n', suffix: ')\r\n}\r\n' }, 'b\n)\n}\n', 'b\r\n'],
    ['a stop of CRLF', { prefix: 'a\r\nb', suffix: 'c', stop: ['\r\n\r\n'] }, 'x\ny\n\nz', 'x\r\ny'],
    ['a stop of LF', { prefix: 'a\r\nb', suffix: 'c', stop: ['\n\n'] }, 'x\r\ny\r\n\r\nz', 'x\r\ny'],
    ['a stop of CRLF in a file of LF', { prefix: 'a\nb', suffix: 'c', stop: ['\r\n\r\n'] }, 'x\ny\n\nz', 'x\ny'],
    ['a stop of CR', { prefix: 'a\rb', suffix: 'c', stop: ['\r\r'] }, 'x\ny\n\nz', 'x\ry'],
    ['a stop of one break', { prefix: 'a\r\nb', suffix: 'c', stop: ['\r\n'] }, 'x\r\ny', 'x'],
  ])('%s', async (_name, hole, says, text) => {
    const filled = await fill(hole, says);
    expect(filled.text).toBe(text);
    expect(filled.prompt).not.toContain('\r');
  });

  test('the model is given line feeds, in other files too', async () => {
    const { prompt } = await fill({ prefix: 'a\r\nb', suffix: 'c\r', extra: 'd\r\ne\rf' }, 'x', ['/infill']);
    expect(prompt).toBe('<P>d\ne\nf\na\nb<S>c\n<M>');
  });

  test('a line break that the hole cuts in two is one', async () => {
    const { text, prompt } = await fill({ prefix: 'a\r', suffix: '\nb' }, 'x\ny');
    expect([text, prompt]).toEqual(['x\r\ny', '<P>a<S>\nb<M>']);
  });

  test.each(['/v1/completions', '/completion'])('FIM markers of %s are a hole too', async (route) => {
    const { post, read } = serve('x\ny');
    const prompt = '<|file_sep|>n.py\n<|fim_prefix|>a<|fim_suffix|>c\r\n<|fim_middle|>';
    const answer = await post(route, { prompt, max_tokens: 9 }, '# n.py\nac\n'.length + 3);
    expect(read()).toBe('<P># n.py\na<S>c\n<M>');
    expect(textOf(answer, false)).toBe('x\r\ny');
  });

  test.each<[string, object, string]>([
    ['CRLF', { prompt: 'a\r\nb', suffix: 'c' }, '\r\n'],
    ['LF', { prompt: 'a\nb', suffix: 'c' }, '\n'],
    ['CR', { prompt: 'a\rb', suffix: 'c' }, '\r'],
  ])('tokens in a row are the text, and offsets are places in it: %s', async (_name, body, lineBreak) => {
    for (const says of ['x\ny\n\nz', 'x\r\ny\r\n\r\nz']) {
      for (const stream of [false, true]) {
        const { post } = serve(says);
        const answer = await post(
          '/v1/completions',
          { ...body, logprobs: 2, max_tokens: 20, stream },
          'a\nbc'.length + 3,
        );
        const all = stream ? messages(answer).filter((chunk) => chunk !== '[DONE]') : [JSON.parse(answer)];
        const text = textOf(answer, stream);
        expect(text).toBe(['x', 'y', '', 'z'].join(lineBreak));
        const logprobs = all.flatMap(({ choices }) => choices[0]?.logprobs ?? []);
        const tokens: string[] = logprobs.flatMap((part) => part.tokens);
        expect(tokens.join('')).toBe(text);
        expect(tokens).toHaveLength(says.length);
        const before = tokens.map((_, i) => tokens.slice(0, i).join('').length);
        expect(logprobs.flatMap(({ text_offset }) => text_offset)).toEqual(before);
        if (!stream) expect(all[0].usage).toMatchObject({ prompt_tokens: 7, completion_tokens: says.length });
      }
    }
  });
});

describe('a raw prompt', () => {
  test.each<[string, string[], says: string, text: string]>([
    ['no stop', [], 'x\r\ny\nz', 'x\r\ny\nz'],
    ['CRLF finds LF', ['\r\n\r\n'], 'x\ny\n\nz', 'x\ny'],
    ['LF finds CRLF', ['\n\n'], 'x\r\ny\r\n\r\nz', 'x\r\ny'],
    ['one LF leaves no CR', ['\n'], 'x\r\ny', 'x'],
    ['one CRLF', ['\r\n'], 'x\ny', 'x'],
    ['within a stop', ['}\r\ndef'], 'x}\ndef y', 'x'],
    ['a CR in a line', ['\n'], 'x\ry\nz', 'x\ry'],
    ['the first that is complete', ['y', '\r\n'], 'x\ny', 'x'],
  ])('its text stays, and a stop is found with either line break: %s', async (_name, stop, says, text) => {
    for (const stream of [false, true]) {
      const { post, read } = serve(says);
      const answer = await post('/v1/completions', { prompt: 'a\r\nb', stop, max_tokens: 20, stream }, 4);
      expect(textOf(answer, stream)).toBe(text);
      expect(read()).toBe('a\r\nb');
    }
  });

  test('the stop is named as it was asked for', async () => {
    const { post } = serve('x\n\ny');
    const answer = JSON.parse(await post('/completion', { prompt: 'a', stop: ['\r\n\r\n'], n_predict: 9 }, 1));
    expect(answer).toMatchObject({ content: 'x', stop_type: 'word', stopping_word: '\r\n\r\n', tokens_predicted: 3 });
  });
});

describe('the line after the hole is not written twice', () => {
  test.each<[string, Hole, says: string, text: string]>([
    ['and then an end', { prefix: 'x = 1\n', suffix: '\nprint(x)\n' }, 'print(x)', ''],
    ['and its line break', { prefix: 'x = 1\n', suffix: '\nprint(x)\n' }, 'print(x)\n', ''],
    ['and more', { prefix: 'x = 1\n', suffix: '\nprint(x)\n' }, 'print(x)\nprint(x)\nprint(x)\n', ''],
    ['after a line of its own', { prefix: 'x = 1\n', suffix: '\nprint(x)\n' }, 'y = 2\nprint(x)\n', 'y = 2'],
    ['at the start of the file', { prefix: '', suffix: '\nimport os\n' }, 'import os\n', ''],
    ['at the end of it', { prefix: 'x = 1\n', suffix: '\nprint(x)' }, 'print(x)\n', ''],
    ['after indentation', { prefix: 'if x:\n    ', suffix: '\n    y = x\n' }, 'y = x\n', ''],
    ['with its indentation', { prefix: 'if x:\n', suffix: '\n    y = x\n' }, '    y = x\n', ''],
    ['with tabs', { prefix: 'if x {\n\t', suffix: '\n\tgo(x)\n}' }, 'go(x)\n', ''],
    ['after blank lines', { prefix: 'x = 1\n', suffix: '\n\n\nprint(x)\n' }, 'print(x)\n', ''],
    ['after spaces', { prefix: 'x = 1\n', suffix: '  \nprint(x)\n' }, 'print(x)\n', ''],
    ['in CRLF', { prefix: 'x = 1\r\n', suffix: '\r\nprint(x)\r\n' }, 'print(x)\n', ''],
    ['in CRLF, by the model too', { prefix: 'x = 1\r\n', suffix: '\r\nprint(x)\r\n' }, 'print(x)\r\n', ''],
    ['with CR', { prefix: 'x = 1\r', suffix: '\rprint(x)\r' }, 'print(x)\n', ''],
    ['where the hole has no line break after it', { prefix: 'x = 1\n', suffix: 'print(x)\n' }, 'print(x)\n', ''],
    ['before a stop', { prefix: 'x = 1\n', suffix: '\nprint(x)\n', stop: ['\n\n'] }, 'print(x)\n\nz', ''],
  ])('%s', async (_name, hole, says, text) => {
    expect((await fill(hole, says)).text).toBe(text);
  });

  test.each<[string, Hole, text: string]>([
    ['a line that only begins so', { prefix: '', suffix: '\nimport os\n' }, 'import os.path'],
    ['a line that only begins so, and more', { prefix: '', suffix: '\nimport os\n' }, 'import os.path\ny = 1'],
    ['a part of it', { prefix: 'x = 1\n', suffix: '\nprint(x)\n' }, 'print'],
    ['a bracket, which may stand twice', { prefix: '{\n  {\n', suffix: '\n}\n' }, '}'],
    ['a word, which may stand twice', { prefix: 'if x\n', suffix: '\nend\n' }, 'end'],
    ['within a line', { prefix: 'x = 1\ny = ', suffix: '\nprint(x)\n' }, 'print(x)'],
    ['another indentation', { prefix: 'if x:\n    ', suffix: '\ny = x\n' }, 'y = x'],
    ['a suffix of blank lines', { prefix: 'x = 1\n', suffix: '\n\n' }, 'print(x)'],
    ['an empty suffix', { prefix: 'x = 1\n', suffix: '' }, 'x = 1'],
    ['a hole whose line goes on', { prefix: 'x = 1\n', suffix: ' + 1\nprint(x)\n' }, 'print(x)'],
  ])('%s stays', async (_name, hole, text) => {
    expect((await fill(hole, text)).text).toBe(text);
  });
});
