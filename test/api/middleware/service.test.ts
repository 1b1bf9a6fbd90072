import { afterEach, describe, expect, test, vi } from 'vitest';
import type { RateLimiter } from '../../../src/api/middleware/rate-limit.ts';
import { memoryRateLimiter } from '../../../src/hosts/node/host/rate-limiter.ts';
import { FAIL_EARLY, FAIL_LATE, FAKE_CACHED_TOKENS } from '../../support/engines/fake-engine.ts';
import { ADDRESS_HEADER, API_KEYS, bearer, fakeService, KEY, OTHER_KEY } from '../../support/hosts/fake-service.ts';

afterEach(() => vi.restoreAllMocks());

const OPEN = { ACCESS: 'open' };
const BODY = { prompt: 'abc', max_tokens: 4 };

describe('request ids', () => {
  const { get } = fakeService(OPEN);
  const idFor = async (id: string) => (await get('/v1/models', { 'x-request-id': id })).headers.get('x-request-id');

  test('are echoed when well formed and of at most 128 characters, else made', async () => {
    for (const id of ['a', 'req_0-9=', 'x'.repeat(128)]) expect(await idFor(id)).toBe(id);
    for (const id of ['', 'x'.repeat(129), 'a b', 'é', '<script>']) expect(await idFor(id)).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each([
    ['a refusal', { path: '/v1/completions', status: 405 }],
    ['an unknown path', { path: '/nothing', status: 404 }],
  ])('%s has one', async (_what, { path, status }) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('a stream and a 401 have the same one as the log', async () => {
    const { post, recorded } = fakeService({ API_KEYS });
    const answers = [await post(BODY), await post({ ...BODY, stream: true }, bearer(KEY))];
    await Promise.all(answers.map((answer) => answer.text()));
    expect((await recorded(2)).map((record) => record.request_id)).toEqual(
      answers.map((answer) => answer.headers.get('x-request-id')),
    );
  });
});

test('answers carry the headers that keep browsers careful', async () => {
  const { get, post } = fakeService(OPEN);
  for (const response of [
    await get('/'),
    await get('/nothing'),
    await post(BODY),
    await post({ ...BODY, stream: true }),
  ]) {
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
    await response.text();
  }
});

describe('other origins', () => {
  const origin = 'https://editor.example';
  const { app, post } = fakeService({ API_KEYS, CORS_ORIGINS: origin });
  const preflight = (from: string) =>
    app.request('/v1/completions', {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-api-key',
      },
    });

  test('that are listed may ask with a key, and read what clients need', async () => {
    const { status, headers } = await preflight(origin);
    expect([status, headers.get('access-control-allow-origin')]).toEqual([204, origin]);
    expect(headers.get('access-control-allow-headers')?.toLowerCase().split(',')).toEqual(
      expect.arrayContaining(['authorization', 'x-api-key', 'content-type']),
    );
    for (const key of [KEY, 'wrong']) {
      const answer = await post(BODY, { origin, ...bearer(key) });
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answer.headers.get('access-control-expose-headers')).toBe('x-request-id,retry-after,x-seedling-ignored');
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      expect(answer.headers.get('vary')).toContain('Origin');
    }
  });

  // C9: what OpenAI's, Anthropic's and Mistral's SDKs add, and names that nobody has thought of yet.
  test.each([
    'x-stainless-os',
    'authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count,x-stainless-runtime',
    'openai-organization,openai-project,openai-beta',
    'anthropic-version,anthropic-dangerous-direct-browser-access,x-api-key',
    'user-agent,http-referer,x-title',
    'x-something-new',
  ])('a preflight gets the headers that it asks for: %s', async (asked) => {
    const headers = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked };
    const response = await app.request('/v1/completions', { method: 'OPTIONS', headers });
    expect(response.headers.get('access-control-allow-headers')?.split(',')).toEqual(asked.split(','));
    const foreign = { ...headers, origin: 'https://other.example' };
    const refused = await app.request('/v1/completions', { method: 'OPTIONS', headers: foreign });
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('that are not listed are not allowed', async () => {
    for (const from of ['https://other.example', 'https://editor.example.evil', 'http://editor.example', 'null']) {
      expect((await preflight(from)).headers.get('access-control-allow-origin')).toBeNull();
      const answer = await post(BODY, { origin: from, ...bearer(KEY) });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
    const closed = await fakeService(OPEN).post(BODY, { origin });
    expect(closed.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('a rate limit', () => {
  test('is 429 with a time to come back, for each key by itself', async () => {
    const { post } = fakeService({ API_KEYS }, {}, {}, { limiter: memoryRateLimiter(2, 60) });
    for (const key of [KEY, KEY, OTHER_KEY]) expect((await post(BODY, bearer(key))).status).toBe(200);
    const refused = await post(BODY, { ...bearer(KEY), [ADDRESS_HEADER]: '192.0.2.7' });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(await refused.json()).toEqual({
      error: { message: expect.any(String), type: 'requests', param: null, code: 'rate_limit_exceeded' },
    });
    expect((await post(BODY, bearer(OTHER_KEY))).status).toBe(200);
  });

  test('counts addresses where access is open, IPv6 by /64', async () => {
    const taken: string[] = [];
    const limiter: RateLimiter = {
      async take(key) {
        taken.push(key);
        return null;
      },
    };
    const { post, get } = fakeService(OPEN, {}, {}, { limiter });
    const addresses = [
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '2001:db8:1:2:3:4:5:6',
      '2001:db8:1:2::9',
      '2001:db8:1:3::9',
      'x',
    ];
    for (const address of addresses) await post(BODY, { [ADDRESS_HEADER]: address });
    await post(BODY);
    expect(taken).toEqual([
      'address:192.0.2.1',
      'address:192.0.2.1',
      'address:2001:db8:1:2::/64',
      'address:2001:db8:1:2::/64',
      'address:2001:db8:1:3::/64',
      'address:x',
      'address:unknown',
    ]);
    for (const path of ['/health', '/v1/models', '/']) await get(path);
    expect(taken).toHaveLength(7);
  });

  test('does not count what access refuses', async () => {
    const take = vi.fn(async () => null);
    const { post } = fakeService({ API_KEYS }, {}, {}, { limiter: { take } });
    await post(BODY, bearer('wrong'));
    expect(take).not.toHaveBeenCalled();
  });

  test('frees a key once its window is over', async () => {
    vi.useFakeTimers();
    try {
      const limiter = memoryRateLimiter(1, 10);
      expect([await limiter.take('a'), await limiter.take('a'), await limiter.take('b')]).toEqual([null, 10, null]);
      await vi.advanceTimersByTimeAsync(10_001);
      expect(await limiter.take('a')).toBeNull();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the record of a request', () => {
  test('says what it was and what it cost, when its last byte is out', async () => {
    const { post, recorded, records } = fakeService({ API_KEYS }, {}, { stepMs: 2 });
    const stream = await post({ ...BODY, max_tokens: 40, stream: true }, bearer(KEY));
    expect(records).toEqual([]);
    await stream.text();
    await post(BODY, bearer(OTHER_KEY));
    const common = { event: 'request', method: 'POST', route: '/v1/completions', status: 200, ending: null };
    expect(await recorded(2)).toMatchObject([
      { ...common, key: 'alice', prompt_tokens: 3, cached_tokens: FAKE_CACHED_TOKENS, completion_tokens: 40, nfe: 41 },
      { ...common, key: 'bob', prompt_tokens: 3, cached_tokens: FAKE_CACHED_TOKENS, completion_tokens: 4, nfe: 5 },
    ]);
    expect(records[0]?.ms).toBeGreaterThanOrEqual(40);
  });

  test('adds up all choices, and counts edits', async () => {
    const { post, app, recorded } = fakeService(OPEN);
    await post({ ...BODY, n: 3 });
    const edit = await app.request('/v1/edit/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code: 'let x = 1;' }),
    });
    expect(edit.status).toBe(200);
    const [choices, edited] = await recorded(2);
    expect(choices).toMatchObject({ prompt_tokens: 9, completion_tokens: 12, nfe: 15 });
    expect(edited).toMatchObject({ route: '/v1/edit/completions', status: 200 });
    expect(edited?.prompt_tokens).toBeGreaterThan(0);
  });

  test('has the status of a refusal, the pattern of a route, and never a path of the caller', async () => {
    const { post, get, recorded } = fakeService(OPEN);
    await post({ prompt: 'abc', max_tokens: 0 });
    await get('/v1/models/secret-model');
    await get('/secret-path');
    expect(await recorded(3)).toMatchObject([
      { route: '/v1/completions', status: 400 },
      { route: '/v1/models/:model', status: 404 },
      { route: null, status: 404 },
    ]);
  });

  test('says that a client went away, or that an answer broke off', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const { post, recorded } = fakeService(OPEN, {}, { stepMs: 1 });
    const client = await post({ ...BODY, max_tokens: 1000, stream: true });
    await client.body?.cancel();
    expect((await recorded(1))[0]).toMatchObject({ status: 200, ending: 'client_gone', completion_tokens: 0 });
    await (await post({ ...BODY, prompt: FAIL_LATE, stream: true })).text();
    expect((await recorded(2))[1]).toMatchObject({ status: 200, ending: 'error' });
    await post({ ...BODY, prompt: FAIL_EARLY });
    expect((await recorded(3))[2]).toMatchObject({ status: 500, ending: null });
  });
});

test('neither logs, nor records, nor errors repeat a prompt, a stack or a path', async () => {
  const logged: unknown[] = [];
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation((...parts) => void logged.push(...parts));
  }
  const { post, get, records } = fakeService({ API_KEYS });
  const secret = 'TOP-SECRET-PROMPT';
  const answers = [
    await post({ prompt: secret, max_tokens: 4, stop: [secret], user: secret }, bearer(KEY)),
    await post({ prompt: secret, max_tokens: -1 }, bearer(KEY)),
    await post({ prompt: secret, max_tokens: 1e9 }, bearer(KEY)),
    await post(`{"prompt":"${secret}`, bearer(KEY)),
    await post(`"${secret}"`, bearer(KEY)),
    await post({ prompt: secret, stream: true }, bearer(secret)),
  ];
  for (const answer of answers) expect(await answer.text()).not.toContain(secret);
  for (const prompt of [FAIL_EARLY, FAIL_LATE]) {
    for (const stream of [true, false]) {
      const text = await (await post({ prompt, stream }, bearer(KEY))).text();
      expect(text).toContain('internal_error');
      expect(text).not.toMatch(/secret detail|\/a\/path|\.ts|at \w+ \(|node_modules/);
    }
  }
  await get(`/${secret}`, bearer(KEY));
  expect(JSON.stringify([logged.map(String), records])).not.toContain(secret);
  expect(JSON.stringify([logged.map(String), records])).not.toContain(KEY);
});

describe('a host that is stopping', () => {
  test('finishes what it has begun, refuses what is new, and says so to a probe', async () => {
    const { post, get, drain } = fakeService({ API_KEYS }, {}, { stepMs: 2 });
    const stream = await post({ ...BODY, max_tokens: 40, stream: true }, bearer(KEY));
    let drained = false;
    const draining = drain.start().then(() => {
      drained = true;
    });
    const refused = await post(BODY, bearer(KEY));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toMatchObject({ error: { code: 'draining', type: 'server_error' } });
    const health = await get('/health');
    expect([health.status, await health.json()]).toEqual([503, { status: 'draining', model: 'fake' }]);
    expect(drained).toBe(false);
    expect(await stream.text()).toContain('[DONE]');
    await draining;
    expect(drain.calls).toBe(0);
  });

  test('that has nothing to finish is done at once', async () => {
    const { post, drain } = fakeService({ API_KEYS });
    await post(BODY, bearer(KEY));
    await drain.start();
  });
});

test('metrics are refused with a reason where a host has none', async () => {
  const response = await fakeService(OPEN).get('/metrics');
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({
    error: { code: 'metrics_unavailable', message: expect.stringContaining('isolates') },
  });
});
