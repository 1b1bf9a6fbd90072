import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { startServer } from '../../src/hosts/node/host/server.ts';
import { serveFiles } from '../sources/file-server.ts';
import { convertToDirectory } from '../support/engines/models.ts';
import { fakeSocketApp } from '../support/hosts/fake-socket-app.ts';
import { RawClient } from '../support/hosts/raw-client.ts';

describe('the Node entry', () => {
  let child: ChildProcess | undefined;
  let output = '';
  afterEach(() => {
    child?.kill('SIGKILL');
    output = '';
  });

  function start(environment: Record<string, string>): ChildProcess {
    const entry = fileURLToPath(new URL('../../src/hosts/node/main.ts', import.meta.url));
    child = spawn(process.execPath, [entry], { env: { ...process.env, PORT: '0', MODEL: 'absent', ...environment } });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part) => (output += part));
    return child;
  }

  async function url(): Promise<string> {
    for (;;) {
      const found = /http:\/\/[\d.:]+/.exec(output);
      if (found) return found[0];
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  test('answers 503 naming the file while the model is missing, and ends on SIGTERM', async () => {
    const host = start({});
    const response = await fetch(`${await url()}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"prompt":"x"}',
    });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      error: { code: 'model_load_failed', message: expect.stringContaining('config.json is missing') },
    });
    expect(output).toContain('Model absent did not load: config.json is missing');
    host.kill('SIGTERM');
    expect(await once(host, 'exit')).toEqual([0, null]);
  });

  test('takes the model from WEIGHTS_URL, keeps it, says how far the load is, and answers on two threads', async () => {
    const directory = await convertToDirectory('tiny-llama', 'int4');
    const names = await readdir(directory);
    const files = await Promise.all(
      names.map(async (name) => [`tiny/${name}`, await readFile(join(directory, name))] as const),
    );
    const server = await serveFiles(new Map(files));
    const cache = await mkdtemp(join(tmpdir(), 'seedling-cache-'));
    try {
      const host = start({
        THREADS: '2',
        MODEL: 'tiny',
        WEIGHTS: 'https',
        WEIGHTS_URL: `${server.url}tiny`,
        SEEDLING_CACHE: cache,
      });
      const answer = await fetch(`${await url()}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"prompt":"x","max_tokens":1}',
      });
      expect(answer.status).toBe(200);
      expect(output).toMatch(/Loading tiny: ([\d.]+) of \1 MiB/);
      const kept = (await readdir(cache, { recursive: true })).filter((file) => /\.(json|bin)$/.test(file));
      expect(kept.map((file) => basename(file)).sort()).toEqual(names.sort());
      // The second thread does not keep the process.
      host.kill('SIGTERM');
      expect(await once(host, 'exit')).toEqual([0, null]);
    } finally {
      await server.close();
    }
  });

  test.each([
    [{ MAX_TOKENS: 'many' }, 'Setting MAX_TOKENS must be a number, but is "many".\n'],
    [
      { HOST: '0.0.0.0' },
      'Setting HOST is 0.0.0.0, which other machines can reach: set API_KEYS to a hash that npm run key prints, ' +
        'or ACCESS to open to let everybody in.\n',
    ],
    [{ PORT: '70000' }, 'Setting PORT must be a port from 0 to 65535, but is "70000".\n'],
    [{ THREADS: '0' }, 'Setting THREADS must be a whole number from 1 to 64, but is "0".\n'],
  ])('does not start with %j', async (environment, sentence) => {
    const [code] = await once(start(environment), 'close');
    expect(code).toBe(1);
    expect(output).toBe(sentence);
  });
});

describe('stopping the server', () => {
  const post = { prompt: 'abc', max_tokens: 16, stream: true };

  test('lets a running stream end, and takes no new connection', async () => {
    const server = await startServer(fakeSocketApp(), 0, '127.0.0.1');
    const url = new URL(`http://127.0.0.1:${server.address.port}`);
    const client = await RawClient.post(url, post);
    await client.until(/" 0 1 2 3"/);
    const stopped = server.stop(10_000);
    await expect(fetch(url)).rejects.toThrow();
    const start = performance.now();
    await stopped;
    // A kept-alive connection would hold it for 5 s.
    expect(performance.now() - start).toBeLessThan(3000);
    await client.until(/\[DONE\]/);
  });

  test('cuts what is still running after the grace time', async () => {
    const server = await startServer(fakeSocketApp(), 0, '127.0.0.1');
    const url = new URL(`http://127.0.0.1:${server.address.port}`);
    const client = await RawClient.post(url, { ...post, max_tokens: 2000 });
    await client.until(/" 0 1 2 3"/);
    const start = performance.now();
    await server.stop(100);
    expect(performance.now() - start).toBeLessThan(2000);
    expect(client.received).not.toContain('[DONE]');
  });
});
