/** Where access is open: who may ask, by the name that it asks and by the page that it comes from. */
import { describe, expect, test } from 'vitest';
import { ADDRESS_HEADER, API_KEYS, bearer, fakeService, KEY } from '../../support/hosts/fake-service.ts';

const BODY = { prompt: 'abc', max_tokens: 4 };
const LISTED = 'https://editor.example';
const open = fakeService({ ACCESS: 'open', CORS_ORIGINS: LISTED, ALLOWED_HOSTS: 'models.example box' });

type Ask = (headers: Record<string, string>) => Response | Promise<Response>;
const asks: readonly (readonly [string, Ask])[] = [
  ['a completion', (headers) => open.post(BODY, headers)],
  ['the models', (headers) => open.get('/v1/models', headers)],
  ['health', (headers) => open.get('/health', headers)],
  ['the page', (headers) => open.get('/', headers)],
  ['weights', (headers) => open.get('/models/fake/config.json', headers)],
  ['a path that is none', (headers) => open.get('/nothing', headers)],
];

async function refused(response: Response): Promise<string | null> {
  if (response.status !== 403) return null;
  // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
  const { error }: any = await response.json();
  expect(error.type).toBe('invalid_request_error');
  expect(error.message.length).toBeLessThan(400);
  return error.code;
}

describe.each(asks)('%s', (_what, ask) => {
  test.each([
    'evil.example',
    'evil.example:8787',
    'localhost.evil.example',
    'evil.localhost',
    'localhost.',
    'models.example.evil.example',
    '127.0.0.1.evil.example',
    'localhost/@evil.example',
    'user@localhost',
    'not a host',
  ])('is refused under the host %s', async (host) => {
    expect(await refused(await ask({ host }))).toBe('host_not_allowed');
  });

  test.each([
    'localhost',
    'LOCALHOST:8787',
    '127.0.0.1:8787',
    '[::1]:8787',
    '192.168.1.20',
    'models.example',
    'Models.Example:443',
    'box:8787',
  ])('is answered under the host %s', async (host) => {
    expect(await refused(await ask({ host }))).toBeNull();
  });

  test.each([
    'https://evil.example',
    'null',
    'file://',
    'http://localhost:3000',
    'http://127.0.0.1:8787',
    'https://editor.example.evil.example',
    'https://vscode-webview.example',
    'chrome-extension://abc',
  ])('is refused to a page of %s', async (origin) => {
    expect(await refused(await ask({ host: 'localhost:8787', origin }))).toBe('origin_not_allowed');
  });

  test.each(['http://localhost:8787', 'https://localhost:8787', LISTED, 'vscode-webview://0a1b'])(
    'is answered to a page of %s',
    async (origin) => {
      const headers = { host: 'localhost:8787', origin, 'sec-fetch-site': 'cross-site' };
      expect(await refused(await ask(headers))).toBeNull();
    },
  );
});

test('what a page of another site loads without an origin is refused, and a link to the page is not', async () => {
  const image = { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };
  for (const site of ['cross-site', 'same-site']) {
    const headers = { 'sec-fetch-site': site, ...image };
    expect(await refused(await open.get('/v1/models', headers))).toBe('origin_not_allowed');
    const frame = { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };
    expect(await refused(await open.get('/', frame))).toBe('origin_not_allowed');
    const link = { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    expect((await open.get('/', link)).status).toBe(200);
    // A form of another site navigates too, and it has an effect.
    expect(await refused(await open.post(BODY, link))).toBe('origin_not_allowed');
  }
  for (const site of ['same-origin', 'none']) {
    expect((await open.get('/v1/models', { 'sec-fetch-site': site, ...image })).status).toBe(200);
  }
});

test('a refused request reaches neither the rate limit nor the engine', async () => {
  const { post, engine } = fakeService({ ACCESS: 'open' }, {}, {}, { limiter: { take: () => Promise.reject() } });
  expect((await post(BODY, { origin: 'https://evil.example' })).status).toBe(403);
  expect(engine.requests).toEqual([]);
});

test('with keys nothing of this is asked', async () => {
  const { post, engine } = fakeService({ API_KEYS });
  const strange = { host: 'evil.example', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
  expect((await post(BODY, { ...strange, ...bearer(KEY) })).status).toBe(200);
  expect((await post(BODY, strange)).status).toBe(401);
  expect((await post(BODY, bearer(KEY))).status).toBe(200);
  const [one, two] = engine.requests.map(({ cacheKey }) => cacheKey);
  expect(one).toBe(two);
});

test('a page shares neither the cache of the editor at its address nor that of another page', async () => {
  const { post, engine } = fakeService({ ACCESS: 'open', CORS_ORIGINS: LISTED });
  const at = { [ADDRESS_HEADER]: '127.0.0.1' };
  for (const origin of [{}, { origin: 'http://localhost' }, { origin: LISTED }, {}]) {
    expect((await post(BODY, { ...at, ...origin })).status).toBe(200);
  }
  const [editor, own, listed, again] = engine.requests.map(({ cacheKey }) => cacheKey);
  expect(new Set([editor, own, listed]).size).toBe(3);
  expect(again).toBe(editor);
});
