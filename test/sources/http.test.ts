/** Weights on a web server that has every fault. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpSource } from '../../src/sources/http.ts';
import { convertFixture, wasmModel } from '../support/models.ts';

const good = await convertFixture('tiny-llama', 'int4');
const files = new Map<string, Uint8Array>();
for (const file of ['config.json', 'tokenizer.json', 'manifest.json']) {
  files.set(file, new TextEncoder().encode(JSON.stringify(await good.json(file))));
}
const SHARD = 'weights-000.bin';
const shard = new Uint8Array(await new Response(await good.stream(SHARD)).arrayBuffer());

/** What becomes of the shard. */
let fault: 'none' | 'missing' | 'cut' | 'flipped' | 'broken off' | 'error' = 'none';
let server: Server;
let base: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const file = request.url?.split('/').at(-1) ?? '';
    const bytes = file === SHARD ? shard : files.get(file);
    const faulty = file === SHARD ? fault : 'none';
    if (!bytes || faulty === 'missing') return response.writeHead(404).end('nothing here');
    if (faulty === 'error') return response.writeHead(502).end();
    if (faulty === 'cut') return response.end(bytes.subarray(0, -1));
    if (faulty === 'flipped') return response.end(bytes.map((byte, i) => (i === 777 ? byte ^ 1 : byte)));
    if (faulty === 'broken off') {
      response.writeHead(200, { 'content-length': bytes.length });
      return response.write(bytes.subarray(0, 1000), () => response.destroy());
    }
    return response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/tiny`;
});
afterAll(() => server.close());

test.each([
  ['missing', /weights-000\.bin.* (is )?missing/],
  ['cut', /weights-000\.bin has \d+ bytes, the manifest says \d+/],
  ['flipped', /weights-000\.bin is corrupt: sha256/],
  ['broken off', /weights-000\.bin/],
  ['error', /weights-000\.bin.*502/],
] as const)('a shard that is %s is an error that names it', async (what, message) => {
  fault = what;
  const loading = wasmModel(httpSource(base), 'relaxed-simd');
  await expect(loading).rejects.toMatchObject({ name: 'ModelLoadError', message: expect.stringMatching(message) });
});

test.each(['', '/'])('a model loads from an address with %j at its end', async (end) => {
  fault = 'none';
  expect((await wasmModel(httpSource(base + end), 'relaxed-simd')).config.name).toBe('tiny-llama');
});
