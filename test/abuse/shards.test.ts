/** A model whose files are bad: every fault is named, and the next request tries again. */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHost, type ServedEngine } from '../../src/api/host.ts';
import { assembleEngine } from '../../src/hosts/assemble.ts';
import { readSettings } from '../../src/hosts/settings.ts';
import { httpSource } from '../../src/sources/http.ts';
import { kernelModules } from '../support/engines/kernels.ts';
import { serviceAround } from '../support/hosts/fake-service.ts';
import { type Fault, type ShardServer, startShardServer } from './shard-server.ts';
import { tinyModels } from './tiny-host.ts';

const SHARD = 'weights-000.bin';
const SILENCE_MS = 400;

let server: ShardServer;
beforeAll(async () => {
  server = await startShardServer(join(await tinyModels(), 'tiny-llama'));
  vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterAll(() => {
  vi.restoreAllMocks();
  return server.stop();
});

beforeEach(() => server.heal());

/** A service that has loaded nothing yet. */
function fresh(requestSeconds = 60) {
  const settings = readSettings({ ACCESS: 'open', KV_TOKENS: '512' });
  const source = httpSource(server.url, { patience: { retries: 0, silenceMs: SILENCE_MS } });
  const load = (): Promise<ServedEngine> => assembleEngine({ ...settings, source, kernels: kernelModules });
  const host = createHost({ modelName: 'tiny-llama', settings, load });
  const { post, get } = serviceAround(host, settings, { requestSeconds });
  const ask = async () => {
    const response = await post({ prompt: 'abc', max_tokens: 4 });
    return { status: response.status, retry: response.headers.get('retry-after'), body: await response.json() };
  };
  return { ask, get };
}

const FAULTS: readonly (readonly [file: string, fault: Fault, sentence: RegExp])[] = [
  [SHARD, 'truncated', /^weight shard weights-000\.bin has \d+ bytes, the manifest says \d+$/],
  [SHARD, 'flipped', /^weight shard weights-000\.bin is corrupt: sha256 [0-9a-f]{64}, expected [0-9a-f]{64}$/],
  [SHARD, 'too long', /^weight shard weights-000\.bin is longer than the \d+ bytes of the manifest$/],
  [SHARD, 'missing', /: weights-000\.bin is missing \(status 404\)$/],
  [SHARD, 'refused', /: weights-000\.bin cannot be read: status 500/],
  [SHARD, 'cut', /^weight shard weights-000\.bin breaks off after \d+ bytes: /],
  [SHARD, 'stalled', /^weight shard weights-000\.bin breaks off after \d+ bytes: .*silent for 0\.4 s/],
  [SHARD, 'silent', /weights-000\.bin cannot be read: silent for 0\.4 s/],
  ['manifest.json', 'truncated', /^manifest\.json is not JSON$/],
  ['manifest.json', 'missing', /^manifest\.json is missing \(status 404\)$/],
  ['manifest.json', 'silent', /^manifest\.json cannot be read: /],
  ['manifest.json', 'stalled', /^manifest\.json cannot be read: silent for 0\.4 s/],
  ['config.json', 'not JSON', /^config\.json is not JSON$/],
  ['tokenizer.json', 'cut', /^tokenizer\.json cannot be read: /],
];

describe('a file that is', () => {
  test.each(FAULTS)('%s %s', async (file, fault, sentence) => {
    const { ask, get } = fresh();
    server.spoil(file, fault);
    for (let attempt = 1; attempt <= 2; attempt++) {
      const { status, retry, body } = await ask();
      expect([status, retry]).toEqual([503, '5']);
      const { message, ...error } = body.error;
      expect(message).toMatch(sentence);
      expect(error).toEqual({ type: 'server_error', param: null, code: 'model_load_failed' });
    }
    // Each request has tried again.
    expect(server.asked(file)).toBe(2);
    expect(await (await get('/health')).json()).toMatchObject({ status: 'error' });
    server.heal();
    await vi.waitFor(async () => expect((await ask()).status).toBe(200), { timeout: 20_000, interval: 50 });
  });

  test('slow is waited for, by all who ask meanwhile, with one load', async () => {
    const { ask } = fresh();
    server.spoil(SHARD, 'slow');
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(server.asked(SHARD)).toBe(1);
  });

  test('slower than the request may take is a 503 that says so; the load goes on', async () => {
    const { ask } = fresh(0.15);
    server.spoil(SHARD, 'stalled');
    const late = await ask();
    expect([late.status, late.retry]).toEqual([503, '5']);
    expect(late.body.error).toEqual({
      message: 'tiny-llama is still being loaded: try again in a while.',
      type: 'server_error',
      param: null,
      code: 'model_loading',
    });
  });
});
