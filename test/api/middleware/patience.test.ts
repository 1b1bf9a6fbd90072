/** How long requests may take and streams may be silent; seconds are small fractions here. */
import { describe, expect, test, vi } from 'vitest';
import { FAIL_EARLY, FAIL_LATE, FAKE_CODER, SILENT } from '../../support/engines/fake-engine.ts';
import { messages } from '../../support/hosts/fake-app.ts';
import { fakeService } from '../../support/hosts/fake-service.ts';

const OPEN = { ACCESS: 'open' };
/** A request that would go on for some 20 s. */
const LONG = { max_tokens: 4000, stream: true };
const SLOW = { totalTokens: 5000, stepMs: 5 };
const PATIENT = { requestSeconds: 600, keepAliveSeconds: 600, stallSeconds: 600 };
const KEEP_ALIVE = ': keep-alive\n\n';

/** The data of a stream, without its comments; and how many of those came before, between and after. */
function withoutComments(text: string) {
  const comments = text.split(KEEP_ALIVE).length - 1;
  // biome-ignore lint/suspicious/noExplicitAny: see `messages`
  return { comments, data: messages(text.replaceAll(KEEP_ALIVE, '')) as any[] };
}

describe('a deadline', () => {
  const settings = { ...OPEN, MAX_TOKENS: '4000' };

  test.each([true, false])('before the first byte is a 504 that is not worth a retry (stream: %s)', async (stream) => {
    const { post, engine, recorded } = fakeService(settings, { ...PATIENT, requestSeconds: 0.1 }, SLOW);
    const response = await post({ ...LONG, prompt: SILENT, stream });
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([504, 'false']);
    expect(await response.json()).toEqual({
      error: {
        message: 'The request took longer than the 0.1 seconds that this server allows.',
        type: 'server_error',
        param: null,
        code: 'deadline_exceeded',
      },
    });
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
    expect((await recorded(1))[0]).toMatchObject({ status: 504, ending: 'deadline' });
    const { steps } = engine;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(engine.steps).toBe(steps);
  });

  test('later is one message inside the stream, and its end', async () => {
    const { post, engine, recorded } = fakeService(settings, { ...PATIENT, requestSeconds: 1 }, SLOW);
    const response = await post({ ...LONG, prompt: 'abc' });
    expect(response.status).toBe(200);
    const data = messages(await response.text());
    expect(data[0].choices[0].text).toBe(' 0 1 2 3');
    expect(data.at(-1)).toMatchObject({ error: { code: 'deadline_exceeded', type: 'server_error' } });
    expect(data.filter((message) => message.error)).toHaveLength(1);
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
    expect((await recorded(1))[0]).toMatchObject({ status: 200, ending: 'deadline' });
  });

  test('ends a wait in the queue too', async () => {
    const { post, engine } = fakeService(settings, { ...PATIENT, requestSeconds: 0.1 }, { ...SLOW, totalTokens: 4100 });
    const place = await engine.queue.enter(() => true, new AbortController().signal);
    for (let i = 1; i < 16; i++) await engine.queue.enter(() => true, new AbortController().signal);
    for (const stream of [true, false]) expect((await post({ ...LONG, prompt: 'abc', stream })).status).toBe(504);
    expect([engine.queue.running, engine.queue.waiting]).toEqual([16, 0]);
    place.leave();
    expect((await post({ prompt: 'abc', max_tokens: 1 })).status).toBe(200);
  });
});

test('a deadline counts all choices together', async () => {
  const { post, engine } = fakeService(OPEN, { ...PATIENT, requestSeconds: 1 }, SLOW);
  const response = await post({ prompt: 'abc', max_tokens: 20, n: 16, best_of: 16, temperature: 1 });
  expect([response.status, (await response.json()).error.code]).toEqual([504, 'deadline_exceeded']);
  expect(engine.requests.length).toBeGreaterThan(1);
  expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
});

describe('every endpoint that streams', () => {
  test.each([
    ['/v1/fim/completions', { prompt: 'abc', suffix: 'x', max_tokens: 8 }],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'abc' }], max_tokens: 8 }],
    ['/completion', { prompt: 'abc', n_predict: 8 }],
  ])('%s starts with comments when it is slow to begin', async (path, body) => {
    const { app } = fakeService(OPEN, { ...PATIENT, keepAliveSeconds: 0.05 }, { stepMs: 60, config: FAKE_CODER });
    const response = await app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, stream: true }),
    });
    expect(response.status).toBe(200);
    expect((await response.text()).startsWith(KEEP_ALIVE)).toBe(true);
  });
});

describe('a stream that is slow to begin', () => {
  const settings = { ...OPEN, MAX_TOKENS: '4000' };
  const quick = { ...PATIENT, keepAliveSeconds: 0.05 };

  test('starts with comments, and goes on as any other', async () => {
    const { post, recorded } = fakeService(settings, quick, { stepMs: 60 });
    const response = await post({
      prompt: 'abc',
      max_tokens: 8,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform');
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const text = await response.text();
    expect(text.startsWith(KEEP_ALIVE)).toBe(true);
    const { comments, data } = withoutComments(text);
    expect(comments).toBeGreaterThanOrEqual(2);
    expect(data.map((message) => message.choices?.[0]?.text ?? '').join('')).toBe(' 0 1 2 3 4 5 6 7');
    expect(data.at(-2).usage.completion_tokens).toBe(8);
    expect(data.at(-1)).toBe('[DONE]');
    expect((await recorded(1))[0]).toMatchObject({ ending: null, completion_tokens: 8 });
  });

  test('has none when it begins in time', async () => {
    const { post } = fakeService(settings, PATIENT);
    const text = await (await post({ prompt: 'abc', max_tokens: 8, stream: true })).text();
    expect(text).not.toContain('keep-alive');
  });

  test('ends with its error as the only message, where one without the wait is a status', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const { post, recorded } = fakeService(settings, { ...quick, requestSeconds: 0.3 }, SLOW);
    expect((await post({ prompt: FAIL_EARLY, stream: true })).status).toBe(500);
    const late = await post({ ...LONG, prompt: SILENT });
    expect(late.status).toBe(200);
    const { comments, data } = withoutComments(await late.text());
    expect(comments).toBeGreaterThanOrEqual(1);
    expect(data).toMatchObject([{ error: { code: 'deadline_exceeded' } }]);
    expect((await recorded(2))[1]).toMatchObject({ status: 200, ending: 'deadline' });
    vi.restoreAllMocks();
  });

  test('waits in the queue, which it leaves when its reader does', async () => {
    const { post, engine, recorded } = fakeService(settings, quick, { ...SLOW, totalTokens: 4100 });
    const holder = await post({ ...LONG, prompt: 'abc' });
    const waits = await post({ ...LONG, prompt: 'abc' });
    expect([engine.queue.running, engine.queue.waiting]).toEqual([1, 1]);
    const reader = waits.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(KEEP_ALIVE);
    await reader.cancel();
    await vi.waitFor(() => expect(engine.queue.waiting).toBe(0));
    expect((await recorded(1))[0]).toMatchObject({ ending: 'client_gone' });
    await holder.body?.cancel();
    await vi.waitFor(() => expect(engine.model.freeTokens).toBe(engine.model.maxTokens));
  });

  test('stops computing when its reader goes after it has begun', async () => {
    const { post, engine } = fakeService(settings, quick, { totalTokens: 5000, stepMs: 20 });
    const response = await post({ ...LONG, prompt: 'abc' });
    const reader = response.body!.getReader();
    for (let text = ''; !text.includes(' 0 1 2 3'); ) text += new TextDecoder().decode((await reader.read()).value);
    await reader.cancel();
    await vi.waitFor(() => expect(engine.model.freeTokens).toBe(engine.model.maxTokens));
    expect(engine.steps).toBeLessThan(4000);
  });
});

test('a silence inside a stream gets comments as well', async () => {
  const { post } = fakeService(OPEN, { ...PATIENT, keepAliveSeconds: 0.2 }, { stepMs: 20 });
  // Blocks come after 4 steps of 20 ms, but two of block length 64 are some 1.3 s apart.
  const response = await post({ prompt: 'abc', max_tokens: 128, stream: true, decoding: { block_length: 64 } });
  const { comments, data } = withoutComments(await response.text());
  expect(comments).toBeGreaterThanOrEqual(4);
  expect(data.at(-1)).toBe('[DONE]');
});

describe('a reader that takes nothing', () => {
  test.each([
    ['from the first byte on', PATIENT.keepAliveSeconds],
    ['after comments', 0.02],
  ])('%s is dropped, and its room is free again', async (_when, keepAliveSeconds) => {
    const cut = vi.fn();
    const { post, engine, recorded } = fakeService(
      { ...OPEN, MAX_TOKENS: '4000' },
      { ...PATIENT, keepAliveSeconds, stallSeconds: 0.2 },
      SLOW,
      { cut },
    );
    const response = await post({ ...LONG, prompt: 'abc' });
    expect(response.status).toBe(200);
    // Nobody reads; only the first few messages find room.
    await vi.waitFor(() => expect(engine.model.freeTokens).toBe(engine.model.maxTokens), { timeout: 10_000 });
    expect((await recorded(1))[0]).toMatchObject({ ending: 'stalled' });
    expect(cut).toHaveBeenCalled();
    expect(engine.steps).toBeLessThan(200);
  });

  test('is waited for while it takes a little', async () => {
    const { post } = fakeService(OPEN, { ...PATIENT, stallSeconds: 0.5 }, { stepMs: 1 });
    const response = await post({ prompt: 'abc', max_tokens: 60, stream: true });
    const reader = response.body!.getReader();
    let text = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += new TextDecoder().decode(part.value);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(messages(text).at(-1)).toBe('[DONE]');
  });
});

test('an error after the first text is one message, also behind comments', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  const { post } = fakeService(OPEN, { ...PATIENT, keepAliveSeconds: 0.03 }, { stepMs: 20 });
  const { data } = withoutComments(await (await post({ prompt: FAIL_LATE, stream: true })).text());
  expect(data).toMatchObject([{ choices: [{ text: ' 0 1 2 3' }] }, { error: { code: 'internal_error' } }]);
  vi.restoreAllMocks();
});
