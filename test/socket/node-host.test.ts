import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
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

  function start(environment: Record<string, string>, ...more: readonly string[]): ChildProcess {
    const entry = fileURLToPath(new URL('../../src/hosts/node/main.ts', import.meta.url));
    child = spawn(process.execPath, [entry, ...more], {
      env: { ...process.env, PORT: '0', MODEL: 'absent', ...environment },
    });
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
    const models = await mkdtemp(join(tmpdir(), 'seedling-models-'));
    await mkdir(join(models, 'absent'));
    const host = start({ MODELS_DIR: models });
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

  // C22
  test.each([
    ['nope', ['seedling-135m', 'tiny'], 'there are seedling-135m, tiny'],
    ['tiny2', ['tiny'], 'there are tiny'],
    ['TINY', ['tiny'], 'there are tiny'],
    ['file', ['tiny'], 'there are tiny'],
    ['nope', [], 'there are none'],
    ['half', ['tiny'], 'there are tiny'],
  ])('does not start with MODEL %s, and lists what is there', async (model, names, there) => {
    const models = await mkdtemp(join(tmpdir(), 'seedling-models-'));
    for (const name of names) {
      await mkdir(join(models, name));
      await writeFile(join(models, name, 'manifest.json'), '{}');
    }
    await writeFile(join(models, 'file'), '');
    const [code] = await once(start({ MODEL: model, MODELS_DIR: models }), 'close');
    expect(code).toBe(1);
    expect(output).toBe(`Setting MODEL is ${model}, but ${models} has no model of that name: ${there}.\n`);
  });

  test.each([
    [['--port', '9105'], '"--port"'],
    [['--port=9105'], '"--port=9105"'],
    [['9105'], '"9105"'],
    [['--help'], '"--help"'],
    [['-p'], '"-p"'],
    [[''], '""'],
  ])('does not start with the arguments %j', async (given, named) => {
    const [code] = await once(start({}, ...given), 'close');
    expect(code).toBe(1);
    expect(output).toMatch(new RegExp(`^Unknown argument ${named}: settings come from the environment`));
  });

  test('does not start on a port that is in use, or an address of another machine', async () => {
    const server = await startServer(fakeSocketApp(), 0, '127.0.0.1');
    const models = await mkdtemp(join(tmpdir(), 'seedling-models-'));
    await mkdir(join(models, 'absent'));
    const port = String(server.address.port);
    expect(await once(start({ MODELS_DIR: models, PORT: port }), 'close')).toEqual([1, null]);
    expect(output).toBe(`Port ${port} of 127.0.0.1 is in use: set PORT to another one.\n`);
    await server.stop(0);
    output = '';
    const other = { MODELS_DIR: models, HOST: '192.0.2.1', ACCESS: 'open' };
    expect(await once(start(other), 'close')).toEqual([1, null]);
    expect(output).toBe('Setting HOST is 192.0.2.1, which is no address of this machine.\n');
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
