import { describe, expect, test } from 'vitest';
import { ADDRESS_HEADER, API_KEYS, bearer, fakeService, KEY, OTHER_KEY } from '../../support/hosts/fake-service.ts';

const BODY = { prompt: 'abc', max_tokens: 4 };

describe('with keys', () => {
  const { post, get, engine, app } = fakeService({ API_KEYS });

  test.each([
    ['Authorization', bearer(KEY)],
    ['Authorization, in other letters', { authorization: `bearer  ${KEY}` }],
    ['x-api-key', { 'x-api-key': KEY }],
    ['both, as Continue sends them', { ...bearer(KEY), 'x-api-key': KEY }],
    ["x-api-key beside a proxy's own header", { authorization: 'Basic dXNlcjpwYXNz', 'x-api-key': KEY }],
  ])('a key by %s is let in', async (_how, headers) => {
    expect((await post(BODY, headers)).status).toBe(200);
  });

  test.each([
    ['nothing', {}, /did not send an API key/],
    ['an unknown key', bearer('sk-seedling-mallory'), /Incorrect API key/],
    ['an unknown key by x-api-key', { 'x-api-key': 'sk-seedling-mallory' }, /Incorrect API key/],
    ['the hash for the key', bearer(API_KEYS.slice(6, 70)), /Incorrect API key/],
    ['part of a key', bearer(KEY.slice(0, -1)), /Incorrect API key/],
    ['no scheme', { authorization: KEY }, /Incorrect API key/],
    ['another scheme', { authorization: `Basic ${KEY}` }, /Incorrect API key/],
    ['a scheme alone', { authorization: 'Bearer' }, /Incorrect API key/],
    ['two keys', bearer(`${KEY} ${OTHER_KEY}`), /Incorrect API key/],
    ['characters of no key', bearer('"\\x00é'), /Incorrect API key/],
    ['an empty key', { 'x-api-key': ' ' }, /Incorrect API key/],
    ['a key without end', bearer('x'.repeat(10_000)), /Incorrect API key/],
  ])('%s is a 401 in the form that clients know', async (_what, headers, message) => {
    const asked = engine.requests.length;
    const response = await post(BODY, headers);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    const { error } = await response.json();
    expect(error).toEqual({
      message: expect.stringMatching(message),
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_api_key',
    });
    expect(JSON.stringify(error)).not.toContain(KEY);
    expect(engine.requests).toHaveLength(asked);
  });

  test('the key is asked for before anything of the body is looked at', async () => {
    expect((await post('{')).status).toBe(401);
    expect((await post('x'.repeat(2_000_000))).status).toBe(401);
  });

  test.each([
    ['/health', 503],
    ['/v1/models', 200],
    ['/v1/models/fake', 200],
    ['/openapi.json', 200],
    ['/', 200],
    ['/nothing', 404],
  ])('%s needs none by default', async (path, status) => {
    expect((await fakeService({ API_KEYS }).get(path)).status).toBe(status);
  });

  test.each([
    '/models/fake/config.json',
    '/metrics',
    '/MODELS/fake/config.json',
    '//models/fake/config.json',
    '/models//x',
  ])('%s needs one by default', async (path) => {
    expect((await get(path)).status).toBe(401);
  });

  test('a method that only some paths have needs one', async () => {
    for (const path of ['/v1/completions', '/', '/v1/models', '/health', '/nothing']) {
      expect((await app.request(path, { method: 'POST' })).status).toBe(401);
      expect((await app.request(path, { method: 'DELETE' })).status).toBe(401);
    }
  });
});

test.each([
  ['docs', '/openapi.json'],
  ['models', '/v1/models'],
  ['weights', '/models/fake/config.json'],
  ['page', '/'],
])('%s are public exactly when the setting says so', async (area, path) => {
  const shown = fakeService({ API_KEYS, PUBLIC: area });
  expect((await shown.get(path)).status).toBe(200);
  const hidden = fakeService({ API_KEYS, PUBLIC: 'none' });
  expect((await hidden.get(path)).status).toBe(401);
  expect((await hidden.get(path, bearer(KEY))).status).toBe(200);
  expect((await hidden.get('/health')).status).toBe(503);
});

test("weights are the served model's files and nothing else", async () => {
  const { get } = fakeService({ ACCESS: 'open' });
  const config = await get('/models/fake/config.json');
  expect([config.headers.get('content-type'), await config.text()]).toEqual(['application/json', '{"weights":true}']);
  for (const path of ['/models/other/config.json', '/models/fake/README.md', '/models/fake/weights-000.bin']) {
    expect((await get(path)).status, path).toBe(404);
  }
});

test('without any key it lets nobody in, and says how to make one', async () => {
  const { post, get } = fakeService();
  for (const headers of [{}, bearer('x'), bearer('')]) {
    const response = await post(BODY, headers);
    expect(response.status).toBe(401);
    const { error } = await response.json();
    expect(error).toMatchObject({
      code: 'invalid_api_key',
      message: expect.stringContaining('wrangler secret put API_KEYS'),
    });
  }
  expect((await get('/health')).status).toBe(503);
});

test('open access asks for no key and reads none', async () => {
  const { post } = fakeService({ ACCESS: 'open' });
  expect((await post(BODY)).status).toBe(200);
  expect((await post(BODY, bearer('anything'))).status).toBe(200);
});

test('each key has a cache of its own, and so has each address where there are no keys', async () => {
  const keys = fakeService({ API_KEYS });
  for (const key of [KEY, OTHER_KEY, KEY]) await keys.post(BODY, bearer(key));
  // Every choice, and not only the first.
  await keys.post({ ...BODY, prompt: ['a', 'b'], n: 2 }, bearer(KEY));
  const [alice, bob, again, ...choices] = keys.engine.requests.map(({ cacheKey }) => cacheKey);
  expect(choices).toEqual([alice, alice, alice, alice]);
  expect(alice).not.toBe(bob);
  expect(again).toBe(alice);

  const open = fakeService({ ACCESS: 'open' });
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) await open.post(BODY, { [ADDRESS_HEADER]: address });
  const [one, two, oneAgain] = open.engine.requests.map(({ cacheKey }) => cacheKey);
  expect(one).not.toBe(two);
  expect(oneAgain).toBe(one);
});
