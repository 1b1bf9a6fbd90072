/** The real service around a fake engine, called without a socket. */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { createHost, type Host } from '../../../src/api/host.ts';
import type { Patience } from '../../../src/api/middleware/call.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import type { RequestRecord } from '../../../src/api/middleware/record.ts';
import { createService, type Platform } from '../../../src/api/service.ts';
import { readSettings, type Settings } from '../../../src/hosts/settings.ts';
import { ModelLoadError } from '../../../src/model/errors.ts';
import { createFakeEngine, type FakeOptions } from '../engines/fake-engine.ts';

export const KEY = 'sk-seedling-alice';
export const OTHER_KEY = 'sk-seedling-bob';

const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');
/** The setting for both keys. */
export const API_KEYS = `alice:${hashOf(KEY)},bob:${hashOf(OTHER_KEY)}`;

export const ADDRESS_HEADER = 'test-address';

/** @param variables settings, as a host's environment has them; seconds may be fractions here, to keep tests short */
export function fakeService(
  variables: Record<string, string> = {},
  patience: Partial<Patience> = {},
  options: FakeOptions = {},
  platform: Partial<Platform> = {},
) {
  const engine = createFakeEngine(options);
  const settings = readSettings(variables);
  const host = createHost({ modelName: 'fake', settings, load: async () => engine });
  return { engine, ...serviceAround(host, settings, patience, platform) };
}

/** The same around any host. */
export function serviceAround(
  host: Host,
  read: Settings,
  patience: Partial<Patience> = {},
  platform: Partial<Platform> = {},
) {
  const settings = { ...read, patience: { ...read.patience, ...patience } };
  const records: RequestRecord[] = [];
  const drain = new Drain();
  const app = createService(host, settings, {
    address: (c) => c.req.header(ADDRESS_HEADER) ?? null,
    cut() {},
    limiter: null,
    record: (record) => records.push(record),
    metrics: null,
    files: {
      async weights(file) {
        if (file !== 'config.json') throw new ModelLoadError(`${file} is missing`);
        return new Response('{"weights":true}').body as ReadableStream<Uint8Array>;
      },
      page: async (c, next) => (c.req.path === '/' ? c.html('the page') : next()),
    },
    drain,
    about: { version: '0.0.0', description: 'A test.' },
    ...platform,
  });

  const get = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers });
  const post = (
    body: object | string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
    path = '/v1/completions',
  ) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal && { signal }),
    });

  /** The records, once there are so many. */
  async function recorded(count: number): Promise<readonly RequestRecord[]> {
    while (records.length < count) await setTimeout(1);
    return records;
  }

  return { app, drain, get, post, records, recorded };
}

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
