/** C11: bodies in other forms than plain UTF-8 are read, or refused by the name of the header that is at fault. */
import { deflateSync, gzipSync } from 'node:zlib';
import type { Context } from 'hono';
import { describe, expect, test, vi } from 'vitest';
import { BODY_LIMIT, fakeApp } from '../../support/hosts/fake-app.ts';
import { fakeService } from '../../support/hosts/fake-service.ts';

const JSON_TYPE = 'application/json';
const body = (prompt: string) => Buffer.from(JSON.stringify({ prompt }));

/** Bytes of every char code below 256. */
const latin1 = (text: string) => Buffer.from(text, 'latin1');

describe('a body is read', () => {
  test.each([
    ['as it is', body('é'), { 'content-type': JSON_TYPE }],
    ['gzip', gzipSync(body('é')), { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }],
    [
      'gzip, by its old name and in capitals',
      gzipSync(body('é')),
      { 'content-type': JSON_TYPE, 'content-encoding': 'X-GZIP' },
    ],
    ['deflate', deflateSync(body('é')), { 'content-type': JSON_TYPE, 'content-encoding': 'deflate' }],
    ['identity', body('é'), { 'content-type': JSON_TYPE, 'content-encoding': 'identity' }],
    ['latin-1', latin1('{"prompt":"\xe9"}'), { 'content-type': `${JSON_TYPE}; charset=iso-8859-1` }],
    ['windows-1252, quoted', latin1('{"prompt":"\xe9"}'), { 'content-type': `${JSON_TYPE}; charset="windows-1252"` }],
    ['UTF-16', Buffer.from('{"prompt":"é"}', 'utf16le'), { 'content-type': `${JSON_TYPE}; charset=utf-16le` }],
    ['a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body('é')]), { 'content-type': JSON_TYPE }],
    ['a type with a suffix', body('é'), { 'content-type': 'application/vnd.api+json' }],
    ['parameters that say nothing', body('é'), { 'content-type': `${JSON_TYPE}; charset=UTF-8; x=y` }],
  ])('%s', async (_name, bytes, headers) => {
    const { postRaw, engine } = fakeApp();
    const { status, json } = await postRaw(bytes, headers as unknown as Record<string, string>);
    expect([status, json.error]).toEqual([200, undefined]);
    expect(engine.requests[0]).toMatchObject({ prompt: 'é' });
  });
});

describe('a body is refused', () => {
  const bomb = gzipSync(Buffer.alloc(4 * BODY_LIMIT, 0x20));
  test.each([
    ['no type', body('a'), {}, 415, 'content-type'],
    ['a form', body('a'), { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'content-type'],
    ['text', body('a'), { 'content-type': 'text/plain' }, 415, 'content-type'],
    [
      'an encoding that nobody has',
      body('a'),
      { 'content-type': JSON_TYPE, 'content-encoding': 'compress' },
      415,
      'content-encoding',
    ],
    ['Brotli', body('a'), { 'content-type': JSON_TYPE, 'content-encoding': 'br' }, 415, 'content-encoding'],
    [
      'two encodings',
      gzipSync(gzipSync(body('a'))),
      { 'content-type': JSON_TYPE, 'content-encoding': 'gzip, gzip' },
      415,
      'content-encoding',
    ],
    ['no gzip at all', body('a'), { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }, 400, 'content-encoding'],
    [
      'half of a gzip',
      gzipSync(body('a')).subarray(0, 15),
      { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' },
      400,
      'content-encoding',
    ],
    ['a charset that nobody has', body('a'), { 'content-type': `${JSON_TYPE}; charset=klingon` }, 415, 'content-type'],
    ['latin-1 that does not say so', latin1('{"prompt":"\xe9"}'), { 'content-type': JSON_TYPE }, 400, 'content-type'],
    ['a cut character', body('é').subarray(0, 12), { 'content-type': JSON_TYPE }, 400, 'content-type'],
    ['a bomb', bomb, { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }, 413, 'decompressed'],
  ])('%s', async (_name, bytes, headers, status, names) => {
    const { postRaw, engine } = fakeApp();
    const answer = await postRaw(bytes, headers as unknown as Record<string, string>);
    expect(answer.status).toBe(status);
    expect(answer.json.error.message).toContain(names);
    expect(engine.requests).toHaveLength(0);
  });
});

test.each([{ 'content-length': '12' }, { 'transfer-encoding': 'chunked' }])(
  'a client that leaves before its last byte is no failure of the server: %j',
  async (length) => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { app, recorded, engine } = fakeService({ ACCESS: 'open' });
    const client = new AbortController();
    const part = new ReadableStream({
      start: (controller) => controller.enqueue(body('a').subarray(0, 5)),
      pull(controller) {
        client.abort();
        controller.error(new Error('aborted'));
      },
    });
    const headers = { 'content-type': JSON_TYPE, ...length };
    const init = { method: 'POST', headers, body: part, duplex: 'half', signal: client.signal };
    await app.request(new Request('http://localhost/v1/completions', init as RequestInit));
    expect(await recorded(1)).toMatchObject([{ status: 499, ending: 'client_gone' }]);
    expect([engine.requests.length, log.mock.calls]).toEqual([0, []]);
    log.mockRestore();
  },
);

/** Sends so many bytes, and then nothing more. */
const unfinished = (bytes: number) =>
  new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(bytes).fill(0x20)) });

async function sendUnfinished(bytes: number, headers: Record<string, string>) {
  const { app, recorded } = fakeService({ ACCESS: 'open' }, { requestSeconds: 0.05 });
  const init = {
    method: 'POST',
    headers: { 'content-type': JSON_TYPE, ...headers },
    body: unfinished(bytes),
    duplex: 'half',
  };
  const response = await app.request(new Request('http://localhost/v1/completions', init as RequestInit));
  // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
  return { response, json: (await response.json()) as any, record: (await recorded(1))[0] };
}

test.each([
  ['that is announced', 20, { 'content-length': '40' }],
  ['in chunks', 20, { 'transfer-encoding': 'chunked' }],
  ['that is refused by its length', 20, { 'content-length': '9000000' }],
  ['that is refused once it is too long', 1_100_000, { 'transfer-encoding': 'chunked' }],
])('a body %s and does not end is a 408 at the deadline', async (_what, bytes, headers) => {
  const { response, json, record } = await sendUnfinished(bytes, headers as unknown as Record<string, string>);
  expect([response.status, json.error.code]).toEqual([408, 'deadline_exceeded']);
  expect(response.headers.get('connection')).toBe('close');
  expect(response.headers.get('x-should-retry')).toBe('false');
  expect(record).toMatchObject({ status: 408, ending: 'deadline' });
});

test.each(['error', 'end'])(
  'a body that breaks off with an %s is a client that has gone, whatever the signal says',
  async (how) => {
    const { app, recorded } = fakeService({ ACCESS: 'open' });
    const part = new ReadableStream({
      start: (controller) => controller.enqueue(body('a').subarray(0, 5)),
      pull: (controller) => (how === 'end' ? controller.close() : controller.error(new Error('reset'))),
    });
    const init = {
      method: 'POST',
      headers: { 'content-type': JSON_TYPE, 'content-length': '40' },
      body: part,
      duplex: 'half',
    };
    await app.request(new Request('http://localhost/v1/completions', init as RequestInit));
    expect(await recorded(1)).toMatchObject([{ status: 499, ending: 'client_gone' }]);
  },
);

test('a request that waits keeps nothing of its body but what it asks for', async () => {
  const seen: Context[] = [];
  const address = (c: Context) => {
    seen.push(c);
    return null;
  };
  const { post, engine } = fakeService({ ACCESS: 'open' }, {}, {}, { address });
  const places = [];
  for (let i = 0; i < 16; i++) places.push(await engine.queue.enter(() => true, new AbortController().signal));
  const answer = post({ prompt: 'abc', max_tokens: 4, user: 'x'.repeat(100_000) });
  await vi.waitFor(() => expect(engine.queue.waiting).toBe(1));
  expect([seen[0]?.req.bodyCache, seen[0]?.req.valid('json' as never)]).toEqual([{}, {}]);
  for (const place of places) place.leave();
  expect((await answer).status).toBe(200);
});
