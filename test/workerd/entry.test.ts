/** The deployed entry inside workerd. Its model is absent here: see vitest.config.ts. */
import { SELF } from 'cloudflare:test';
import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest';

let log: MockInstance<typeof console.log>;
beforeEach(() => {
  log = vi.spyOn(console, 'log').mockImplementation(() => {});
});
afterEach(() => vi.restoreAllMocks());

const url = (path: string) => `http://seedling.test${path}`;
/** The key of vitest.config.ts. */
const KEY = { authorization: 'Bearer sk-seedling-test' };
const complete = (body: string, headers: Record<string, string> = KEY) =>
  SELF.fetch(url('/v1/completions'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });

test('lists the model of its settings', async () => {
  const response = await SELF.fetch(url('/v1/models'));
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ data: [{ id: 'absent' }] });
});

test('a missing model is a 503 that names the file, at every request', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  for (const round of [1, 2]) {
    const response = await complete('{"prompt":"x"}');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      error: { code: 'model_load_failed', message: expect.stringContaining('config.json is missing') },
    });
    expect(log).toHaveBeenCalledTimes(round);
  }
  const health = await SELF.fetch(url('/health'));
  expect(health.status).toBe(503);
  expect(await health.json()).toMatchObject({ status: 'error', reason: expect.stringContaining('config.json') });
});

test('a bad request is answered without the model', async () => {
  const response = await complete('{"prompt":"x","max_tokens":0}');
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: 'max_tokens' } });
});

test('nobody gets in without a key', async () => {
  for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'sk-seedling-test' }] as const) {
    const response = await complete('{"prompt":"x"}', headers);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
  }
});

test.each(['/models/seedling-135m/config.json', '/models/absent/manifest.json', '//models/seedling-135m/config.json'])(
  'weights are not public: %s',
  async (path) => {
    const response = await SELF.fetch(`http://seedling.test${path}`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
  },
);

test('weights are there for keys: the files of a model, and no others', async () => {
  const status = async (path: string) => {
    const response = await SELF.fetch(url(path), { headers: KEY });
    await response.text();
    return response.status;
  };
  expect(await status('/models/seedling-135m/config.json')).toBe(200);
  for (const path of ['/models/absent/config.json', '/models/seedling-135m/README.md', '/models/other/config.json']) {
    expect(await status(path), path).toBe(404);
  }
});

test('the API reference needs no key', async () => {
  const response = await SELF.fetch(url('/docs/'));
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  expect(await response.text()).toContain('reference.js');
  expect((await SELF.fetch(url('/docs/reference.js'))).status).toBe(200);
});

test('the page may share memory among its workers; the reference is served as before', async () => {
  const embedder = async (path: string) => {
    const response = await SELF.fetch(url(path));
    await response.arrayBuffer();
    expect([response.status, response.headers.get('cross-origin-opener-policy')]).toEqual([200, 'same-origin']);
    return response.headers.get('cross-origin-embedder-policy');
  };
  for (const path of [
    '/',
    '/playground/worker.js',
    '/playground/thread.js',
    '/playground/kernels-relaxed-shared.wasm',
  ]) {
    expect(await embedder(path), path).toBe('require-corp');
  }
  for (const path of ['/docs/', '/docs/swagger-ui-bundle.js']) expect(await embedder(path), path).toBeNull();
});

test('an unknown page is a 404 in JSON, with an id', async () => {
  const response = await SELF.fetch(url('/nothing.html'), { headers: { 'x-request-id': 'page-1' } });
  expect([response.status, response.headers.get('x-request-id')]).toEqual([404, 'page-1']);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(await response.json()).toMatchObject({ error: { code: 'unknown_url' } });
});

test('metrics of an isolate would mislead, which is what it says', async () => {
  const response = await SELF.fetch(url('/metrics'), { headers: KEY });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ error: { code: 'metrics_unavailable' } });
});

test('every request is one line of JSON in the log', async () => {
  await (await complete('{"prompt":"x","max_tokens":0}')).text();
  await vi.waitFor(() => expect(log).toHaveBeenCalledOnce());
  expect(JSON.parse(log.mock.calls[0]?.[0])).toMatchObject({
    level: 'info',
    event: 'request',
    route: '/v1/completions',
    status: 400,
    key: 'test',
  });
});

// Last: it uses up what the binding allows.
test('the rate limit binding turns a key away', async () => {
  const answers: Response[] = [];
  for (let i = 0; i < 21; i++) answers.push(await complete('{"prompt":"x","max_tokens":0}'));
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.headers.get('retry-after')).toBe('60');
  expect(await refused?.json()).toMatchObject({ error: { code: 'rate_limit_exceeded', type: 'requests' } });
});
