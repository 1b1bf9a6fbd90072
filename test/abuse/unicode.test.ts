import { beforeAll, describe, expect, test, vi } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { openTokenizer } from '../support/engines/engine.ts';
import { FakeModel, says } from '../support/engines/fake-model.ts';
import { messages } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';
import { type TinyService, tinyService } from './tiny-service.ts';
import { UNICODE_TEXTS } from './unicode.ts';

/** The largest body that the default settings let through. */
const MEGABYTE = 1_000_000;
/** Control characters, and first bytes of planes that have none but private and unassigned characters. */
const WITHOUT_TOKEN = [0x04, 0x06, 0x13, 0x14, 0x16, 0x1d, 0xf1, 0xf2];
const JSON_TYPE = { 'content-type': 'application/json' };
// biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
type Json = any;

let service: TinyService;
let shipped: Tokenizer;
beforeAll(async () => {
  service = await tinyService({ KV_TOKENS: '2048' });
  shipped = await openTokenizer('seedling-135m');
});

const utf8 = (text: string) => new TextEncoder().encode(text);

async function post(path: string, body: string): Promise<{ readonly status: number; readonly json: Json }> {
  const response = await service.app.request(path, { method: 'POST', headers: JSON_TYPE, body });
  return { status: response.status, json: await response.json() };
}

describe.each(UNICODE_TEXTS)('%s', (_name, text) => {
  test('goes through the tokenizers and comes back', async () => {
    expect(text.length).toBeGreaterThan(0);
    const bytes = Array.from(shipped.encode(text, 'prompt')).flatMap((id) => Array.from(shipped.bytes(id)));
    // A few bytes have no token in the shipped vocabulary: such text is read without them.
    expect(bytes).toEqual(Array.from(utf8(text)).filter((byte) => !WITHOUT_TOKEN.includes(byte)));
    const { json } = await post('/tokenize', JSON.stringify({ content: text }));
    expect((await post('/detokenize', JSON.stringify(json))).json).toEqual({ content: text });
  });

  test('is echoed as it was sent, as text, as ids and with probabilities', async () => {
    const ids = Array.from(service.engine.tokenizer.encode(text, 'prompt'));
    for (const more of [{}, { logprobs: 0 }]) {
      for (const prompt of [text, ids]) {
        const { status, json } = await post(
          '/v1/completions',
          JSON.stringify({ prompt, max_tokens: 0, echo: true, ...more }),
        );
        expect([status, json.choices?.[0].text]).toEqual([200, text]);
      }
    }
  });

  test('is written by a stream without a broken character, however blocks cut it', async () => {
    const prompt = 'let x';
    const model = new FakeModel({ next: says(text, prompt.length), confidence: () => 0.95 });
    const engine = new Engine(model, new ByteTokenizer(), { concurrency: 1, waiting: 0, seconds: 1 });
    const settings = { maxTokens: 2000, bodyLimitBytes: 1 << 20, unknownFields: 'ignore' as const };
    const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
    for (const block_length of [1, 3, 8]) {
      const body = JSON.stringify({ prompt, max_tokens: 1000, stream: true, decoding: { block_length } });
      const response = await app.request('/v1/completions', { method: 'POST', headers: JSON_TYPE, body });
      const pieces = messages(await response.text())
        .slice(0, -1)
        .map((chunk) => chunk.choices[0].text as string);
      expect(pieces.join('')).toBe(text);
      if (!text.includes('\ufffd')) expect(pieces.filter((piece) => piece.includes('\ufffd'))).toEqual([]);
      expect(pieces.every((piece) => piece.isWellFormed())).toBe(true);
    }
  });
});

const TEXT_BODIES: readonly (readonly [path: string, field: string, body: (json: string) => string])[] = [
  ['/v1/completions', 'prompt', (text) => `{"prompt":${text},"max_tokens":1}`],
  ['/v1/completions', 'suffix', (text) => `{"prompt":"a","suffix":${text},"max_tokens":1}`],
  ['/v1/fim/completions', 'prompt', (text) => `{"prompt":${text},"max_tokens":1}`],
  ['/v1/chat/completions', 'messages', (text) => `{"messages":[{"role":"user","content":${text}}],"max_tokens":1}`],
  ['/v1/edit/completions', 'code', (text) => `{"code":${text}}`],
  ['/completion', 'prompt', (text) => `{"prompt":${text},"n_predict":1}`],
  ['/tokenize', 'content', (text) => `{"content":${text}}`],
  ['/infill', 'input_prefix', (text) => `{"input_prefix":${text},"input_suffix":"","n_predict":1}`],
];

test.each(TEXT_BODIES)('%s refuses half a surrogate pair in %s by name', async (path, field, body) => {
  for (const half of ['"\\ud800"', '"a\\udc00"', '"\\udc00\\ud800"']) {
    const { status, json } = await post(path, body(half));
    expect(status).toBe(400);
    expect(json.error.param).toMatch(new RegExp(`^${field}`));
    expect(json.error.message.isWellFormed()).toBe(true);
  }
  expect((await post(path, body('"\\ud83d\\ude00"'))).status).toBe(200);
});

test.each(TEXT_BODIES)(
  '%s refuses a megabyte of one character in %s before it is tokenized, and holds nothing',
  async (path, _, body) => {
    const { tokenizer, model } = service.engine;
    const encode = vi.spyOn(tokenizer, 'encode');
    for (const character of ['a', ' ', '7', '\\u0000', '\u0301']) {
      const size = Math.floor(MEGABYTE / utf8(character).length);
      const { status, json } = await post(path, body(`"${character.repeat(size)}"`));
      // Only a hole is cut out of more text than fits.
      if (path === '/infill') expect(status).toBeLessThanOrEqual(413);
      else expect([400, 413], `${status} ${JSON.stringify(json).slice(0, 200)}`).toContain(status);
    }
    const longest = Math.max(0, ...encode.mock.calls.map(([text]) => text.length));
    encode.mockRestore();
    // A hole is cut to lines of 32 characters a token first.
    expect(longest).toBeLessThanOrEqual(model.maxTokens * 32);
    expect(Object.values(service.held())).toEqual([0, 0, 0, 0]);
  },
);
