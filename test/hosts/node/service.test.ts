/** What the Node host adds to the service: addresses, limits in memory, metrics, a log on standard output. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHost } from '../../../src/api/host.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import { type NodeServer, startServer } from '../../../src/hosts/node/host/server.ts';
import { createNodeService } from '../../../src/hosts/node/host/service.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import type { WeightSource } from '../../../src/model/weight-source.ts';
import { createFakeEngine } from '../../support/engines/fake-engine.ts';
import { API_KEYS, bearer, KEY } from '../../support/hosts/fake-service.ts';

const source: WeightSource = {
  json: async () => ({}),
  stream: async () => new Response('bytes').body as ReadableStream<Uint8Array>,
};

let server: NodeServer | undefined;
beforeEach(() => void vi.spyOn(console, 'log').mockImplementation(() => {}));
afterEach(async () => {
  vi.restoreAllMocks();
  await server?.stop(0);
});

async function start(variables: Record<string, string>, addressHeader: string | null = null) {
  const settings = readSettings(variables);
  const host = createHost({ modelName: 'fake', settings, load: async () => createFakeEngine() });
  server = await startServer(createNodeService(host, settings, source, addressHeader, new Drain()), 0, '127.0.0.1');
  const url = (path: string) => `http://127.0.0.1:${server?.address.port}${path}`;
  const post = (headers: Record<string, string> = {}, body: object = { prompt: 'abc', max_tokens: 4 }) =>
    fetch(url('/v1/completions'), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  return { url, post };
}

test('metrics count requests, tokens and forwards, and need a key', async () => {
  const { url, post } = await start({ API_KEYS });
  for (let i = 0; i < 3; i++) await (await post(bearer(KEY))).text();
  await (await post()).text();
  await (await fetch(url('/no-such-place'), { headers: bearer(KEY) })).text();
  expect((await fetch(url('/metrics'))).status).toBe(401);
  const response = await fetch(url('/metrics'), { headers: bearer(KEY) });
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n');
  for (const line of [
    'seedling_requests_total{method="POST",route="/v1/completions",status="200",ending=""} 3',
    'seedling_requests_total{method="POST",route="/v1/completions",status="401",ending=""} 1',
    'seedling_requests_total{method="GET",route="none",status="404",ending=""} 1',
    'seedling_request_duration_seconds_count{route="/v1/completions"} 4',
    'seedling_tokens_total{kind="prompt"} 9',
    'seedling_tokens_total{kind="completion"} 12',
    'seedling_forwards_total 15',
    'seedling_requests_under_way 1',
    'seedling_queue_requests{state="running"} 0',
    'seedling_kv_tokens{state="free"} 4096',
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.some((line) => line.startsWith('process_resident_memory_bytes '))).toBe(true);
});

test('the log has one line of JSON a request', async () => {
  const { post } = await start({ ACCESS: 'open' });
  await (await post({ 'x-request-id': 'one' })).text();
  await vi.waitFor(() => expect(console.log).toHaveBeenCalledOnce());
  const line = vi.mocked(console.log).mock.calls[0]?.[0];
  expect(JSON.parse(line)).toMatchObject({
    level: 'info',
    event: 'request',
    request_id: 'one',
    status: 200,
    key: null,
  });
  expect(Date.parse(JSON.parse(line).time)).toBeGreaterThan(Date.now() - 60_000);
});

test("addresses are limited: the connection's own, or the one that a proxy names last", async () => {
  const direct = await start({ ACCESS: 'open', RATE_LIMIT: '1' });
  const statuses = async (ask: typeof direct.post, headers: Record<string, string>[]) => {
    const all: number[] = [];
    for (const header of headers) all.push((await ask(header)).status);
    return all;
  };
  const claims = [{ 'x-forwarded-for': '192.0.2.1' }, { 'x-forwarded-for': '192.0.2.2' }];
  expect(await statuses(direct.post, claims)).toEqual([200, 429]);
  await server?.stop(0);

  const { post } = await start({ ACCESS: 'open', RATE_LIMIT: '1' }, 'x-forwarded-for');
  expect(await statuses(post, claims)).toEqual([200, 200]);
  expect(await statuses(post, [{ 'x-forwarded-for': '198.51.100.9, 192.0.2.2' }])).toEqual([429]);
});

test('no limit is no limit', async () => {
  const { post } = await start({ ACCESS: 'open', RATE_LIMIT: '0' });
  const answers = await Promise.all(Array.from({ length: 20 }, () => post()));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
});

test('the description of the API has the version of package.json', async () => {
  const { url } = await start({ ACCESS: 'open' });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const { info } = (await (await fetch(url('/openapi.json'))).json()) as { info: { version: string } };
  expect(info.version).toBe(version);
});
