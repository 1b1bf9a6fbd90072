import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readSettings, refuseOnnxRuntime, SettingsError } from '../../src/hosts/settings.ts';

test('defaults', () => {
  expect(readSettings({})).toEqual({
    model: 'seedling-135m',
    memoryBudgetBytes: 120 * 1024 * 1024,
    kvTokens: 2048,
    activations: 'int8',
    maxTokens: 1024,
    unknownFields: 'ignore',
    bodyLimitBytes: 1024 * 1024,
    queue: { concurrency: 16, waiting: 32, seconds: 30 },
    prefixCache: true,
    access: { open: false, keys: [], public: ['docs', 'models', 'page'], corsOrigins: [], allowedHosts: [] },
    rate: { requests: 240, seconds: 60 },
    patience: { requestSeconds: 120, keepAliveSeconds: 15, stallSeconds: 30 },
    runtime: 'wasm',
  });
});

test('text and numbers both count, an empty string is not set, strangers are ignored', () => {
  const settings = readSettings({ MAX_TOKENS: '64', MEMORY_BUDGET_MIB: 32, MODEL: '', PATH: '/bin', QUEUE_LIMIT: 0 });
  expect(settings).toMatchObject({ maxTokens: 64, memoryBudgetBytes: 32 * 1024 * 1024, model: 'seedling-135m' });
  expect(settings.queue.waiting).toBe(0);
  expect(readSettings({ PREFIX_CACHE: 'off' }).prefixCache).toBe(false);
});

const HASH = 'AB'.repeat(32);

test('keys have a name of their own or one from their hash, and may stand on lines', () => {
  const keys = [
    { name: 'alice', sha256: HASH.toLowerCase() },
    { name: 'key-01010101', sha256: '01'.repeat(32) },
  ];
  expect(readSettings({ API_KEYS: `alice:${HASH},${'01'.repeat(32)}` }).access.keys).toEqual(keys);
  expect(readSettings({ API_KEYS: `\n alice:${HASH}\n${'01'.repeat(32)}\n` }).access.keys).toEqual(keys);
});

test('a message about keys never repeats one', () => {
  const read = () => readSettings({ API_KEYS: `alice:${HASH},sk-seedling-the-key-itself` });
  expect(read).toThrow(/^Setting API_KEYS must list SHA-256 hashes .* but entry 2 is something else\.$/);
  expect(read).not.toThrow(/the-key-itself/);
});

test('lists of origins and of public areas', () => {
  const { access } = readSettings({
    CORS_ORIGINS: 'https://a.example, http://localhost:3000 vscode-webview://abc',
    PUBLIC: 'none',
  });
  expect(access.corsOrigins).toEqual(['https://a.example', 'http://localhost:3000', 'vscode-webview://abc']);
  expect(access.public).toEqual([]);
  expect(readSettings({ PUBLIC: 'weights,metrics' }).access.public).toEqual(['weights', 'metrics']);
});

test('names of a host lose their case', () => {
  const { access } = readSettings({ ACCESS: 'open', ALLOWED_HOSTS: 'Models.Example, box' });
  expect(access.allowedHosts).toEqual(['models.example', 'box']);
});

test('wrangler.toml sets what the code takes for granted, and its binding keeps the rate that it names', async () => {
  const text = await readFile(new URL('../../wrangler.toml', import.meta.url), 'utf8');
  const section = (name: string) => new RegExp(`^\\[+${name}\\]+\\n([^[]*)`, 'm').exec(text)?.[1] ?? '';
  const variables = Object.fromEntries(
    [...section('vars').matchAll(/^(\w+) = (?:"(.*)"|(\d+))$/gm)].map(([, name, word, number]) => [
      name,
      word ?? number,
    ]),
  );
  expect(Object.keys(variables)).toContain('RATE_LIMIT');
  expect(readSettings(variables)).toEqual(readSettings({}));
  const { rate } = readSettings(variables);
  expect(section('ratelimits')).toContain(`limit = ${rate.requests}, period = ${rate.seconds}`);
});

test.each([
  [{ ACCESS: 'public' }, 'Setting ACCESS must be keys or open, but is "public".'],
  [{ ACCESS: 'open', API_KEYS: HASH }, /^Setting ACCESS is open, but API_KEYS are set/],
  [{ API_KEYS: 7 }, 'Setting API_KEYS must be text.'],
  [{ PUBLIC: 'docs,all' }, /^Setting PUBLIC must list some of docs, .*but is "docs,all"\.$/],
  [{ CORS_ORIGINS: '*' }, /^Setting CORS_ORIGINS must list origins such as .*but is "\*"\.$/],
  [{ CORS_ORIGINS: 'https://a.example/path' }, /^Setting CORS_ORIGINS must list origins/],
  [{ ALLOWED_HOSTS: 'https://a.example' }, /^Setting ALLOWED_HOSTS must list host names such as .*but is "https:/],
  [{ ALLOWED_HOSTS: 'a.example:80', ACCESS: 'open' }, /^Setting ALLOWED_HOSTS must list host names/],
  [{ ALLOWED_HOSTS: '*', ACCESS: 'open' }, /^Setting ALLOWED_HOSTS must list host names/],
  [{ ALLOWED_HOSTS: 'a.example' }, /^Setting ALLOWED_HOSTS has names, but ACCESS is keys/],
  [{ RATE_LIMIT: '-1' }, 'Setting RATE_LIMIT must be at least 0, but is "-1".'],
  [{ RATE_SECONDS: '0' }, 'Setting RATE_SECONDS must be at least 1, but is "0".'],
  [{ REQUEST_SECONDS: '0' }, 'Setting REQUEST_SECONDS must be at least 1, but is "0".'],
  [{ KEEP_ALIVE_SECONDS: 'often' }, 'Setting KEEP_ALIVE_SECONDS must be a number, but is "often".'],
  [{ STALL_SECONDS: '601' }, 'Setting STALL_SECONDS must be at most 600, but is "601".'],
  [{ MEMORY_BUDGET_MIB: '0' }, 'Setting MEMORY_BUDGET_MIB must be at least 1, but is "0".'],
  [{ KV_TOKENS: '2e9' }, 'Setting KV_TOKENS must be at most 1000000, but is "2e9".'],
  [{ ACTIVATIONS: 'int4' }, 'Setting ACTIVATIONS must be int8 or int16, but is "int4".'],
  [{ MAX_TOKENS: 'many' }, 'Setting MAX_TOKENS must be a number, but is "many".'],
  [{ MAX_TOKENS: '0' }, 'Setting MAX_TOKENS must be at least 1, but is "0".'],
  [{ MAX_TOKENS: '1.5' }, 'Setting MAX_TOKENS must be a whole number, but is "1.5".'],
  [{ BODY_LIMIT_BYTES: 5 }, 'Setting BODY_LIMIT_BYTES must be at least 1024, but is 5.'],
  [{ MODEL: '../secret' }, /^Setting MODEL must be a plain name.*but is "\.\.\/secret"\.$/],
  [{ MODEL: 5 }, 'Setting MODEL must be a name, but is 5.'],
  [{ CONCURRENCY: '0' }, 'Setting CONCURRENCY must be at least 1, but is "0".'],
  [{ QUEUE_LIMIT: '-1' }, 'Setting QUEUE_LIMIT must be at least 0, but is "-1".'],
  [{ QUEUE_SECONDS: 'long' }, 'Setting QUEUE_SECONDS must be a number, but is "long".'],
  [{ RUNTIME: 'cuda' }, 'Setting RUNTIME must be wasm, webgpu, onnx or auto, but is "cuda".'],
  [{ UNKNOWN_FIELDS: 'drop' }, 'Setting UNKNOWN_FIELDS must be ignore or reject, but is "drop".'],
  [{ PREFIX_CACHE: 'yes' }, 'Setting PREFIX_CACHE must be on or off, but is "yes".'],
])('%j stops the start with a sentence', (variables, message) => {
  expect(() => readSettings(variables)).toThrow(SettingsError);
  expect(() => readSettings(variables)).toThrow(message);
});

test.each(['webgpu', 'onnx'])('Workers refuse RUNTIME=%s at start, and take auto as wasm', (runtime) => {
  const sentence = `Setting RUNTIME must be wasm or auto on Workers, but is "${runtime}".`;
  expect(() => refuseOnnxRuntime(readSettings({ RUNTIME: runtime }))).toThrow(sentence);
  expect(() => refuseOnnxRuntime(readSettings({ RUNTIME: 'auto' }))).not.toThrow();
});
