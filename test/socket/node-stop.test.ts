/** Signals to a process that is answering. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { RawClient } from '../support/hosts/raw-client.ts';

let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));

async function startHost(graceSeconds: number) {
  const entry = fileURLToPath(new URL('../support/hosts/stopping-host.ts', import.meta.url));
  const process_ = spawn(process.execPath, [entry, String(graceSeconds)]);
  child = process_;
  let output = '';
  for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (part) => (output += part));
  const exit = once(process_, 'exit');
  await vi.waitFor(() => expect(output).toContain('on http://'), { timeout: 20_000 });
  const url = new URL(/http:\S+/.exec(output)?.[0] ?? '');
  return { process: process_, url, exit, output: () => output };
}

const complete = (url: URL) =>
  fetch(new URL('/v1/completions', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"prompt":"abc","max_tokens":4}',
  });

test('a running stream ends as planned, new requests are turned away, a probe is told, then the process ends', async () => {
  const host = await startHost(30);
  const client = await RawClient.post(host.url, { prompt: 'abc', max_tokens: 400, stream: true });
  await client.until(/" 0 1 2 3"/);
  host.process.kill('SIGTERM');
  await vi.waitFor(async () => {
    const health = await fetch(new URL('/health', host.url));
    expect([health.status, await health.json()]).toEqual([503, { status: 'draining', model: 'fake' }]);
  });
  const refused = await complete(host.url);
  expect([refused.status, (await refused.json()).error.code]).toEqual([503, 'draining']);
  await client.until(/" 396 397 398 399"[\s\S]*\[DONE\]/);
  expect(await host.exit).toEqual([0, null]);
  expect(host.output()).toContain('All answers are finished.');
});

test('what is not finished within the grace time is cut', async () => {
  const host = await startHost(1);
  const client = await RawClient.post(host.url, { prompt: 'abc', max_tokens: 4000, stream: true });
  await client.until(/" 0 1 2 3"/);
  host.process.kill('SIGTERM');
  expect(await host.exit).toEqual([0, null]);
  expect(host.output()).toContain('1 answers are cut after 1 seconds.');
  expect(client.received).not.toContain('[DONE]');
});

test('a second signal ends it at once', async () => {
  const host = await startHost(600);
  const client = await RawClient.post(host.url, { prompt: 'abc', max_tokens: 4000, stream: true });
  await client.until(/" 0 1 2 3"/);
  host.process.kill('SIGINT');
  await vi.waitFor(async () => expect((await complete(host.url)).status).toBe(503));
  host.process.kill('SIGINT');
  expect(await host.exit).toEqual([1, null]);
});
