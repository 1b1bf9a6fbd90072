/** The deployed entry inside workerd. Its model is absent here: see vitest.config.ts. */
import { SELF } from 'cloudflare:test';
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => vi.restoreAllMocks());

const url = (path: string) => `http://seedling.test${path}`;
const complete = (body: string) =>
  SELF.fetch(url('/v1/completions'), { method: 'POST', headers: { 'content-type': 'application/json' }, body });

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

test('weights are not public', async () => {
  const response = await SELF.fetch(url('/models/seedling-135m/config.json'));
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ error: { code: 'unknown_url' } });
});
