/** C7: the answer goes on with the assistant's last turn, where transformers leaves it open. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { chatPrompt } from '../../src/engine/chat-prompt.ts';
import { Engine } from '../../src/engine/engine.ts';
import { loadTokenizer, type Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { FAKE_CODER } from '../support/engines/fake-engine.ts';
import { FakeModel, fakeConfig } from '../support/engines/fake-model.ts';
import { messages as chunksOf, fakeApp } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';

const PATH = '/v1/chat/completions';
const CHATML =
  "{% for m in messages %}<|end|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|end|>assistant\n{% endif %}";

interface Fixture {
  readonly bos: string;
  readonly eos: string;
  readonly cases: readonly {
    readonly name: string;
    readonly template: string;
    readonly turns: readonly { readonly content: string; readonly continued: string | null }[];
    readonly closed: string;
  }[];
}
/** Written by `python -m recipe continued-turns`. */
const { bos, eos, cases } = JSON.parse(readFileSync('test/fixtures/continued-turns.json', 'utf8')) as Fixture;

const withTemplate = (template: string) => ({
  ...fakeConfig,
  chatTemplate: { template, bosToken: bos, eosToken: eos },
});
const turns = (content: string) =>
  [
    { role: 'user', content: 'Go on' },
    { role: 'assistant', content },
  ] as const;

describe('a template ends as in transformers', () => {
  const tokenizer = new ByteTokenizer();
  const each = cases.flatMap(({ name, template, turns: all }) =>
    all.map(({ content, continued }) => [name, content, template, continued] as const),
  );

  test.each(each)('%s, continued after %j', (_name, content, template, continued) => {
    const render = () => chatPrompt(turns(content), tokenizer, withTemplate(template), {}, 'within_turn');
    if (continued === null) expect(render).toThrow(/the last message does not appear in the text/);
    else expect(render()).toBe(continued);
  });

  test.each(cases.map(({ name, template, closed }) => [name, template, closed] as const))(
    '%s, closed',
    (_name, template, closed) => {
      expect(chatPrompt(turns('Hello '), tokenizer, withTemplate(template), {}, 'closed')).toBe(closed);
    },
  );

  test('a template that says the last message twice is refused', () => {
    const template = "{% for m in messages %}{{ m['content'] }};{% endfor %}{{ messages[-1]['content'] }}";
    expect(() => chatPrompt(turns('Hello'), tokenizer, withTemplate(template), {}, 'within_turn')).toThrow(/twice/);
  });
});

/** @param says text that the model writes after the prompt, and then an end */
function serve(says: string, template = CHATML) {
  const json = JSON.parse(readFileSync('test/fixtures/tokenizers/gpt2.tokenizer.json', 'utf8'));
  const tokenizer: Tokenizer = loadTokenizer(json, 1);
  const written = tokenizer.encode(says, 'content');
  let prompted = 0;
  const chatTemplate = { template, bosToken: '<|end|>', eosToken: '' };
  const model = new FakeModel({
    config: { vocabSize: 702, maskTokenId: 1, eosTokenIds: [701], startTokenId: 0, chatTemplate },
    next: (ids) => written[ids.length - prompted] ?? 701,
  });
  const engine = new Engine(model, tokenizer, { concurrency: 1, waiting: 1, seconds: 1 });
  const settings = { maxTokens: 100, bodyLimitBytes: 1 << 20, unknownFields: 'reject' as const };
  const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
  async function post(body: object, tokens: number) {
    prompted = tokens;
    model.forwards.length = 0;
    const headers = { 'content-type': 'application/json' };
    const response = await app.request(PATH, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, text: await response.text() };
  }
  const prompt = () => [...(model.forwards[0]?.ids ?? [])].slice(0, prompted);
  return { post, prompt, content: (text: string) => [...tokenizer.encode(text, 'content')] };
}

describe('an answer', () => {
  const flags: readonly [string, object, object][] = [
    ['both flags', { continue_final_message: true, add_generation_prompt: false }, {}],
    ['one flag', { continue_final_message: true }, {}],
    ["Mistral's prefix", {}, { prefix: true }],
    ["Mistral's prefix and the flag", { continue_final_message: true }, { prefix: true }],
    ["Mistral's prefix and no generation prompt", { add_generation_prompt: false }, { prefix: true }],
    ['null for the other flag', { continue_final_message: true, add_generation_prompt: null }, { prefix: null }],
  ];

  test.each(flags)('has the new text only, whole and streamed: %s', async (_name, fields, ofMessage) => {
    for (const begun of ['b a ', 'x<|end|>', '']) {
      const { post, prompt, content } = serve('now');
      const frame = [0, ...content('user\nGo on'), 0, ...content('\n'), 0, ...content(`assistant\n${begun}`)];
      const messages = [
        { role: 'user', content: 'Go on' },
        { role: 'assistant', content: begun, ...ofMessage },
      ];
      const body = { messages, token_healing: false, ...fields };
      const { status, text } = await post(body, frame.length);
      expect([status, text]).toEqual([200, text]);
      expect(prompt()).toEqual(frame);
      const answer = JSON.parse(text);
      expect(answer.choices[0]).toMatchObject({
        message: { role: 'assistant', content: 'now' },
        finish_reason: 'stop',
      });
      const usage = { prompt_tokens: frame.length, completion_tokens: content('now').length };
      expect(answer.usage).toMatchObject(usage);
      const streamed = await post({ ...body, stream: true, stream_options: { include_usage: true } }, frame.length);
      const chunks = chunksOf(streamed.text).filter((chunk) => chunk !== '[DONE]');
      expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('now');
      expect(chunks.at(-1).usage).toMatchObject(usage);
    }
  });

  test('without a generation prompt comes after the closed turn', async () => {
    const { post, prompt, content } = serve('now');
    const frame = [0, ...content('user\nGo on'), 0, ...content('\n')];
    const body = { messages: [{ role: 'user', content: 'Go on' }], add_generation_prompt: false };
    expect((await post(body, frame.length)).status).toBe(200);
    expect(prompt()).toEqual(frame);
  });

  test('begins with the token that the turn was cut in', async () => {
    const { engine, post } = fakeApp({ config: FAKE_CODER });
    const body = { messages: turns('def fo'), continue_final_message: true };
    await post(body, PATH);
    await post({ ...body, token_healing: false }, PATH);
    const prompt = '<user>Go on</s><assistant>def fo';
    expect(engine.requests).toMatchObject([
      { prompt, textKind: 'frame', tokenHealing: true, suffix: null },
      { prompt, textKind: 'frame', tokenHealing: false },
    ]);
  });
});

describe('is refused', () => {
  const user = { role: 'user', content: 'a' };
  const assistant = { role: 'assistant', content: 'b' };
  test.each<[string, object, string]>([
    [
      'both flags true',
      { messages: [user, assistant], continue_final_message: true, add_generation_prompt: true },
      'add_generation_prompt',
    ],
    ['a last message of the user', { messages: [user], continue_final_message: true }, 'continue_final_message'],
    [
      'a last message of the system',
      { messages: [user, { ...user, role: 'system' }], continue_final_message: true },
      'continue_final_message',
    ],
    ['a prefix of the user', { messages: [{ ...user, prefix: true }] }, 'messages.0.prefix'],
    [
      'a prefix before the last message',
      { messages: [user, { ...assistant, prefix: true }, user] },
      'messages.1.prefix',
    ],
    [
      'two prefixes',
      { messages: [{ ...assistant, prefix: true }, user, { ...assistant, prefix: true }] },
      'messages.0.prefix',
    ],
    [
      'a prefix and a generation prompt',
      { messages: [user, { ...assistant, prefix: true }], add_generation_prompt: true },
      'add_generation_prompt',
    ],
    [
      'a prefix and no continuation',
      { messages: [user, { ...assistant, prefix: true }], continue_final_message: false },
      'continue_final_message',
    ],
    ['no boolean', { messages: [user, assistant], continue_final_message: 'content' }, 'continue_final_message'],
    ['a prefix that is no boolean', { messages: [user, { ...assistant, prefix: 1 }] }, 'messages.1.prefix'],
  ])('%s', async (_name, body, param) => {
    const { post } = fakeApp({ config: FAKE_CODER });
    const { status, json } = await post(body, PATH);
    expect([status, json.error.param]).toEqual([400, param]);
  });

  test('a template that cannot be continued, in a sentence', async () => {
    const { post } = serve(
      'now',
      "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}",
    );
    const { status, text } = await post({ messages: turns('b'), continue_final_message: true }, 1);
    expect([status, JSON.parse(text).error]).toMatchObject([400, { param: 'messages', code: 'invalid_value' }]);
    expect(text).toContain('does not appear in the text, so it cannot be continued.');
  });

  test.each([false, true])('nothing where the flags say what is the case anyway (prefix %s)', async (given) => {
    const { post, engine } = fakeApp({ config: FAKE_CODER });
    const asked = { ...user, ...(given && { prefix: false }) };
    const { status } = await post(
      { messages: [asked], continue_final_message: false, add_generation_prompt: true },
      PATH,
    );
    expect(status).toBe(200);
    expect(engine.requests[0]!.prompt).toEqual(Int32Array.from('<user>a</s><assistant>', (c) => c.charCodeAt(0)));
  });
});
