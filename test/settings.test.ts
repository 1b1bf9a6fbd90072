import { expect, test } from 'vitest';
import { readSettings, refuseOnnxRuntime, SettingsError } from '../src/settings.ts';

test('defaults', () => {
  expect(readSettings({})).toEqual({
    model: 'seedling-135m',
    memoryBudgetBytes: 120 * 1024 * 1024,
    kvTokens: 1024,
    activations: 'int8',
    maxTokens: 1024,
    bodyLimitBytes: 1024 * 1024,
    queue: { concurrency: 16, waiting: 32, seconds: 30 },
    prefixCache: true,
    runtime: 'wasm',
  });
});

test('text and numbers both count, an empty string is not set, strangers are ignored', () => {
  const settings = readSettings({ MAX_TOKENS: '64', MEMORY_BUDGET_MIB: 32, MODEL: '', PATH: '/bin', QUEUE_LIMIT: 0 });
  expect(settings).toMatchObject({ maxTokens: 64, memoryBudgetBytes: 32 * 1024 * 1024, model: 'seedling-135m' });
  expect(settings.queue.waiting).toBe(0);
  expect(readSettings({ PREFIX_CACHE: 'off' }).prefixCache).toBe(false);
});

test.each([
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
