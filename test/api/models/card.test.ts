/** What `/v1/models` says of a model (C14): the fields that clients require, from the model's own data. */
import { describe, expect, test } from 'vitest';
import { createHost } from '../../../src/api/host.ts';
import { readModelConfig } from '../../../src/model/weight-source.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { createFakeEngine, FAKE_CODER, FAKE_CONFIG } from '../../support/engines/fake-engine.ts';
import { fakeApp } from '../../support/hosts/fake-app.ts';
import { openApp } from '../../support/hosts/open-app.ts';

const settings = { maxTokens: 16, bodyLimitBytes: 4096, unknownFields: 'ignore' as const };

/** Both routes, which must agree. */
async function cardOf(app: Pick<ReturnType<typeof openApp>, 'request'>, name: string) {
  const one = await (await app.request(`/v1/models/${name}`)).json();
  expect(await (await app.request('/v1/models')).json()).toEqual({ object: 'list', data: [one] });
  // biome-ignore lint/suspicious/noExplicitAny: a document read by path
  return one as any;
}

describe('a model', () => {
  test.each([
    [FAKE_CONFIG, false, false],
    [FAKE_CODER, true, true],
    [{ ...FAKE_CODER, infill: null }, true, false],
    [{ ...FAKE_CONFIG, infill: FAKE_CODER.infill }, false, true],
  ])('has the capabilities that it was made with (%#)', async (config, chat, fim) => {
    const { capabilities, type } = await cardOf(fakeApp({ config }).app, 'fake');
    expect(type).toBe('base');
    expect(capabilities).toMatchObject({ completion_chat: chat, completion_fim: fim, function_calling: false });
    expect(Object.values(capabilities).every((value) => typeof value === 'boolean')).toBe(true);
  });

  test.each([
    [2048, 4096, 2048],
    [8192, 4096, 4096],
    [100, 64, 64],
  ])('trained for %i tokens, with a pool of %i, has a context of %i', async (contextLength, totalTokens, length) => {
    const { app, engine, post } = fakeApp({ config: { ...FAKE_CONFIG, contextLength }, totalTokens });
    await post({ prompt: 'a', max_tokens: 1 });
    expect(engine.steps).toBeGreaterThan(0);
    expect(await cardOf(app, 'fake')).toMatchObject({
      max_context_length: length,
      max_model_len: length,
      context_length: length,
      context_window: length,
      meta: { n_ctx: length, n_ctx_train: contextLength, n_vocab: 1000, n_embd: 64 },
    });
  });

  test.each([
    [1_700_000_000, 1_700_000_000],
    [1, 1],
  ])('was made when its configuration says: %i', async (created, said) => {
    expect((await cardOf(fakeApp({ config: { ...FAKE_CONFIG, created } }).app, 'fake')).created).toBe(said);
  });

  test('that does not say it was made when it was first asked for', async () => {
    const { app } = fakeApp();
    const { created } = await cardOf(app, 'fake');
    expect(Math.abs(created - Date.now() / 1000)).toBeLessThan(60);
  });
});

test('the shipped model is described without its weights', async () => {
  const load = () => Promise.reject(new Error('not wanted'));
  const readConfig = () => readModelConfig(directorySource('models/seedling-135m'));
  const modelName = 'seedling-135m';
  const app = openApp(createHost({ modelName, settings: { ...settings, kvTokens: 1024 }, load, readConfig }));
  expect(await cardOf(app, modelName)).toMatchObject({
    max_context_length: 1024,
    meta: { n_ctx: 1024, n_ctx_train: 8192 },
    capabilities: { completion_chat: true, completion_fim: true },
  });
  const { created } = await cardOf(app, modelName);
  expect(new Date(created * 1000).getUTCFullYear()).toBe(2026);
});

test('a model whose files are missing is listed by its name', async () => {
  const missing = () => Promise.reject(new Error('gone'));
  const app = openApp(createHost({ modelName: 'gone', settings, load: missing, readConfig: missing }));
  const card = await cardOf(app, 'gone');
  expect(card).toMatchObject({ id: 'gone', type: 'base', capabilities: { completion_chat: false } });
  expect(card.meta).toBeUndefined();
});

test('listing loads no weights, where the host can read the configuration alone', async () => {
  let loads = 0;
  const load = async () => {
    loads++;
    return createFakeEngine();
  };
  const app = openApp(createHost({ modelName: 'fake', settings, load, readConfig: async () => FAKE_CODER }));
  await cardOf(app, 'fake');
  expect(loads).toBe(0);
});

test('the description of the API has every field', async () => {
  const { app } = fakeApp({ config: FAKE_CODER });
  const card = await cardOf(app, 'fake');
  const document = (await (await app.request('/openapi.json')).json()) as {
    components: { schemas: { Model: { properties: object } } };
  };
  expect(Object.keys(document.components.schemas.Model.properties).sort()).toEqual(Object.keys(card).sort());
});
