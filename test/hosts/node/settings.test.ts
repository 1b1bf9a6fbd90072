import { expect, test } from 'vitest';
import { readNodeSettings, withNodeDefaults } from '../../../src/hosts/node/host/settings.ts';
import { SettingsError } from '../../../src/hosts/settings.ts';

const HASH = '01'.repeat(32);

test('defaults', () => {
  expect(readNodeSettings({})).toEqual({
    port: 8787,
    host: '127.0.0.1',
    weights: { from: 'directory', at: 'models' },
    weightsCache: expect.stringMatching(/weights$/),
    threads: 1,
    addressHeader: null,
    graceSeconds: 10,
  });
});

test('weights of another server', () => {
  const { weights } = readNodeSettings({ WEIGHTS: 'https', WEIGHTS_URL: 'https://example.com/models/a' });
  expect(weights).toEqual({ from: 'https', at: 'https://example.com/models/a' });
});

test.each(['127.0.0.1', '127.8.0.1', '::1', 'localhost', ''])('on %j access is open unless there are keys', (HOST) => {
  expect(withNodeDefaults({ HOST }).ACCESS).toBe('open');
  expect(withNodeDefaults({ HOST, API_KEYS: HASH }).ACCESS).toBe('keys');
});

test('on an address that others can reach it is open only when that is said', () => {
  expect(withNodeDefaults({ HOST: '0.0.0.0', API_KEYS: HASH }).ACCESS).toBe('keys');
  expect(withNodeDefaults({ HOST: '0.0.0.0', ACCESS: 'open' }).ACCESS).toBe('open');
});

test.each([
  [{ HOST: '0.0.0.0' }, /^Setting HOST is 0\.0\.0\.0, which other machines can reach: set API_KEYS/],
  [{ HOST: '::' }, /^Setting HOST is ::, which/],
  [{ HOST: '128.0.0.1' }, /^Setting HOST is 128\.0\.0\.1, which/],
  [{ HOST: 'localhost.example' }, /^Setting HOST is localhost\.example, which/],
  [{ ACCESS: 'keys' }, /^Setting ACCESS is keys, but there are none: set API_KEYS/],
])('%j stops the start with a sentence', (variables, message) => {
  expect(() => withNodeDefaults(variables)).toThrow(SettingsError);
  expect(() => withNodeDefaults(variables)).toThrow(message);
});

// C23: nobody is kept from their own machine; whoever else may come is counted.
test.each([
  [{}, '0'],
  [{ HOST: '::1' }, '0'],
  [{ ACCESS: 'open' }, '0'],
  [{ RATE_LIMIT: '' }, '0'],
  [{ RATE_LIMIT: '7' }, '7'],
  [{ API_KEYS: HASH }, undefined],
  [{ HOST: '0.0.0.0', ACCESS: 'open' }, undefined],
  [{ ADDRESS_HEADER: 'x-forwarded-for' }, undefined],
] as const)('%j has the rate limit %j', (variables, limit) => {
  expect(withNodeDefaults(variables).RATE_LIMIT).toBe(limit);
});

test.each([
  [{ PORT: '70000' }, 'Setting PORT must be a port from 0 to 65535, but is "70000".'],
  [{ GRACE_SECONDS: 'long' }, 'Setting GRACE_SECONDS must be a whole number from 0 to 3600, but is "long".'],
  [{ WEIGHTS: 'r2' }, 'Setting WEIGHTS must be directory or https on Node, but is "r2".'],
  [{ WEIGHTS: 'https' }, /^Setting WEIGHTS_URL must be an address such as .* but is null\.$/],
  [{ WEIGHTS: 'https', WEIGHTS_URL: 'file:///etc' }, /^Setting WEIGHTS_URL must be .* but is "file:\/\/\/etc"\.$/],
  [{ ADDRESS_HEADER: 'x forwarded' }, 'Setting ADDRESS_HEADER must be a header\'s name, but is "x forwarded".'],
])('%j stops the start with a sentence', (variables, message) => {
  expect(() => readNodeSettings(variables)).toThrow(SettingsError);
  expect(() => readNodeSettings(variables)).toThrow(message);
});
