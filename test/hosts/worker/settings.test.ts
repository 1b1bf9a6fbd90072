import { expect, test } from 'vitest';
import { SettingsError } from '../../../src/hosts/settings.ts';
import { type Bindings, rateLimiterOf, weightSourceOf } from '../../../src/hosts/worker/settings.ts';

const ASSETS = { fetch: async () => new Response('{"from":"assets"}') };
const bindings = (more: object) => ({ ASSETS, ...more }) as unknown as Bindings;

test('weights come from the assets unless a setting says otherwise', async () => {
  expect(await weightSourceOf(bindings({}), 'a').json('config.json')).toEqual({ from: 'assets' });
  const WEIGHTS_BUCKET = { get: async (key: string) => ({ text: async () => JSON.stringify({ key }) }) };
  const stored = weightSourceOf(bindings({ WEIGHTS: 'r2', WEIGHTS_BUCKET }), 'a');
  expect(await stored.json('config.json')).toEqual({ key: 'models/a/config.json' });
});

test.each([
  [{ WEIGHTS: 'disk' }, 'Setting WEIGHTS must be assets, r2 or https, but is "disk".'],
  [{ WEIGHTS: 'r2' }, /^Setting WEIGHTS is r2, but there is no R2 bucket bound as WEIGHTS_BUCKET/],
  [{ WEIGHTS: 'https' }, /^Setting WEIGHTS_URL must be an address/],
])('%j stops the start with a sentence', (more, message) => {
  expect(() => weightSourceOf(bindings(more), 'a')).toThrow(SettingsError);
  expect(() => weightSourceOf(bindings(more), 'a')).toThrow(message);
});

test('the rate limit is the binding, which a limit cannot do without', async () => {
  const RATE_LIMITER = { limit: async ({ key }: { key: string }) => ({ success: key === 'few' }) };
  const limiter = rateLimiterOf(bindings({ RATE_LIMITER }), 240, 60);
  expect(await limiter?.take('few')).toBeNull();
  expect(await limiter?.take('many')).toBe(60);
  expect(rateLimiterOf(bindings({}), 0, 60)).toBeNull();
  expect(() => rateLimiterOf(bindings({}), 240, 60)).toThrow(/no rate limit is bound as RATE_LIMITER/);
  expect(() => rateLimiterOf(bindings({ RATE_LIMITER }), 240, 30)).toThrow(/RATE_SECONDS must be 10 or 60 on Workers/);
});
