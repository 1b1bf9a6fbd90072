/** Keys on the real engine and prefix cache: what one has asked, no other can tell. */
import { expect, test } from 'vitest';
import { createHost } from '../../../src/api/host.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import { createService } from '../../../src/api/service.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import { ByteTokenizer } from '../../support/engines/byte-tokenizer.ts';
import { FakeModel } from '../../support/engines/fake-model.ts';
import { API_KEYS, bearer, KEY, OTHER_KEY } from '../../support/hosts/fake-service.ts';

test('a key finds what it has asked itself in the cache, and nothing of another key', async () => {
  const settings = readSettings({ API_KEYS });
  const model = new FakeModel({ poolTokens: 1024, reuse: true });
  const engine = new Engine(model, new ByteTokenizer(), settings.queue);
  const host = createHost({ modelName: 'fake', settings, load: async () => engine });
  const app = createService(host, settings, {
    address: () => null,
    cut() {},
    limiter: null,
    record() {},
    metrics: null,
    files: { weights: () => Promise.reject(new Error('no weights')), page: null },
    drain: new Drain(),
    about: { version: '0.0.0', description: 'A test.' },
  });

  /** Tokens of the prompt that were in the cache, and that the model had to run. */
  async function ask(key: string): Promise<{ cached: number; run: number }> {
    const before = model.forwards.length;
    const response = await app.request('/v1/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(key) },
      body: JSON.stringify({ prompt: 'x'.repeat(50), max_tokens: 1 }),
    });
    const { usage } = await response.json();
    return { cached: usage.prompt_tokens_details.cached_tokens, run: model.forwards[before]?.ids.length ?? 0 };
  }

  expect(await ask(KEY)).toEqual({ cached: 0, run: 50 });
  // Neither the count nor the work shows that somebody has asked this before.
  expect(await ask(OTHER_KEY)).toEqual({ cached: 0, run: 50 });
  expect(await ask(KEY)).toEqual({ cached: 48, run: 2 });
  expect(await ask(OTHER_KEY)).toEqual({ cached: 48, run: 2 });
});
