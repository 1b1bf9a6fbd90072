import { afterEach, describe, expect, test, vi } from 'vitest';
import { createHost, type ServedEngine } from '../../../src/api/host.ts';
import { ModelLoadError } from '../../../src/model/errors.ts';
import { createFakeEngine } from '../../support/engines/fake-engine.ts';
import { openApp } from '../../support/hosts/open-app.ts';

afterEach(() => vi.restoreAllMocks());

function appThatLoads(load: () => Promise<ServedEngine>) {
  return openApp(
    createHost({
      modelName: 'fake',
      settings: { maxTokens: 16, bodyLimitBytes: 4096, unknownFields: 'ignore' as const },
      load,
    }),
  );
}

const complete = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"x"}' };

describe('a model that does not load', () => {
  test('is a 503 that names the shard, one log line, and the next request tries again', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const load = vi
      .fn<() => Promise<ServedEngine>>()
      .mockRejectedValueOnce(new ModelLoadError('weights-001.bin: sha256 does not match'))
      .mockImplementation(async () => createFakeEngine());
    const app = appThatLoads(load);
    const failed = await app.request('/v1/completions', complete);
    expect(failed.status).toBe(503);
    expect(failed.headers.get('retry-after')).toBe('5');
    expect(await failed.json()).toEqual({
      error: {
        message: 'weights-001.bin: sha256 does not match',
        type: 'server_error',
        param: null,
        code: 'model_load_failed',
      },
    });
    expect(log).toHaveBeenCalledOnce();
    expect(log.mock.calls[0]?.join(' ')).toContain('weights-001.bin');
    expect((await app.request('/v1/completions', complete)).status).toBe(200);
    expect((await app.request('/v1/completions', complete)).status).toBe(200);
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('shows in /health, which starts the next try', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const load = vi
      .fn<() => Promise<ServedEngine>>()
      .mockRejectedValueOnce(new ModelLoadError('manifest.json is missing'))
      .mockRejectedValueOnce(new Error('secret detail in /a/path'))
      .mockImplementation(async () => createFakeEngine({ totalTokens: 64 }));
    const app = appThatLoads(load);
    const health = async () => {
      const response = await app.request('/health');
      return [response.status, await response.json()];
    };
    expect(await health()).toEqual([503, { status: 'loading', model: 'fake' }]);
    expect(await health()).toEqual([503, { status: 'error', reason: 'manifest.json is missing', model: 'fake' }]);
    expect(await health()).toEqual([503, { status: 'error', reason: 'The model did not load.', model: 'fake' }]);
    expect(await health()).toEqual([
      200,
      {
        status: 'ok',
        model: 'fake',
        kv_tokens: { free: 64, total: 64 },
        memory_bytes: { weights: 10, kv_pool: 20, scratch: 30, total: 60 },
      },
    ]);
  });
});

test('requests that come together share one load', async () => {
  const load = vi.fn(async () => createFakeEngine());
  const app = appThatLoads(load);
  const answers = await Promise.all([1, 2, 3].map(() => app.request('/v1/completions', complete)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(load).toHaveBeenCalledOnce();
});

test('a bad request does not load the model', async () => {
  const load = vi.fn(async () => createFakeEngine());
  await appThatLoads(load).request('/v1/completions', { ...complete, body: '{"prompt":"x","max_tokens":-1}' });
  expect(load).not.toHaveBeenCalled();
});

test('/v1/models lists the model, /openapi.json describes the API', async () => {
  const app = appThatLoads(async () => createFakeEngine());
  const model = { id: 'fake', object: 'model', created: expect.any(Number), owned_by: 'seedling' };
  expect(await (await app.request('/v1/models')).json()).toMatchObject({ object: 'list', data: [model] });
  expect(await (await app.request('/v1/models/fake')).json()).toMatchObject(model);
  // biome-ignore lint/suspicious/noExplicitAny: a document read by path
  const document: any = await (await app.request('/openapi.json')).json();
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/v1/completions', '/v1/models', '/v1/models/{model}', '/health']),
  );
  const request = document.components.schemas.CompletionRequest;
  expect(request.required).toEqual(['prompt']);
  expect(request.properties.max_tokens.minimum).toBe(0);
  expect(Object.keys(document.paths['/v1/completions'].post.responses)).toContain('429');
  const { usage } = document.components.schemas.Completion.properties;
  expect(JSON.stringify(usage)).toContain('cached_tokens');
});
