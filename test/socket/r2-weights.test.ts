/** The Worker with its weights in R2, as Miniflare has it, and every way in which a file there can be wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { getPlatformProxy } from 'wrangler';
import { type Isolate, startIsolate } from '../../bench/workerd.ts';
import { convertFixture } from '../support/engines/models.ts';
import { API_KEYS, bearer, KEY } from '../support/hosts/fake-service.ts';

const BUCKET = 'seedling-test';
const SHARD = 'weights-000.bin';

interface TestBucket {
  put(key: string, bytes: Uint8Array): Promise<unknown>;
  delete(key: string): Promise<void>;
}

let state: string;
let isolate: Isolate;
let bucket: TestBucket;
let disposeProxy: () => Promise<void>;
let shard: Uint8Array;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'seedling-r2-'));
  const config = join(state, 'wrangler.toml');
  await writeFile(config, `[[r2_buckets]]\nbinding = "BUCKET"\nbucket_name = "${BUCKET}"\n`);
  const proxy = await getPlatformProxy<{ BUCKET: TestBucket }>({
    configPath: config,
    persist: { path: join(state, 'v3') },
  });
  bucket = proxy.env.BUCKET;
  disposeProxy = proxy.dispose;

  const source = await convertFixture('tiny-llama', 'int4');
  for (const file of ['config.json', 'tokenizer.json', 'manifest.json']) {
    await put(file, new TextEncoder().encode(JSON.stringify(await source.json(file))));
  }
  shard = new Uint8Array(await new Response(await source.stream(SHARD)).arrayBuffer());

  const text = (value: string) => ({ type: 'plain_text', value }) as const;
  isolate = await startIsolate(
    {
      MODEL: text('tiny'),
      KV_TOKENS: text('256'),
      WEIGHTS: text('r2'),
      WEIGHTS_BUCKET: { type: 'r2_bucket', bucket_name: BUCKET },
      API_KEYS: text(API_KEYS),
    },
    state,
  );
}, 120_000);

afterAll(async () => {
  await isolate?.stop();
  await disposeProxy?.();
  await rm(state, { recursive: true, force: true });
});

const put = (file: string, bytes: Uint8Array) => bucket.put(`models/tiny/${file}`, bytes);

async function complete(): Promise<{ status: number; message: string }> {
  const response = await fetch(new URL('/v1/completions', isolate.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(KEY) },
    body: JSON.stringify({ prompt: 'abc', max_tokens: 4 }),
  });
  const { error } = (await response.json()) as { error?: { message: string } };
  return { status: response.status, message: error?.message ?? '' };
}

test('a shard that is missing, cut, padded or flipped is a 503 that names it; once it is right the model loads', async () => {
  expect(await complete()).toEqual({ status: 503, message: `${SHARD} is missing` });
  await put(SHARD, shard.subarray(0, -1));
  expect(await complete()).toEqual({ status: 503, message: expect.stringMatching(/weights-000\.bin has \d+ bytes/) });
  await put(SHARD, Uint8Array.of(...shard, 0));
  expect(await complete()).toEqual({ status: 503, message: expect.stringMatching(/weights-000\.bin is longer/) });
  await put(
    SHARD,
    shard.map((byte, i) => (i === 777 ? byte ^ 1 : byte)),
  );
  expect(await complete()).toEqual({
    status: 503,
    message: expect.stringMatching(/weights-000\.bin is corrupt: sha256/),
  });
  await put(SHARD, shard);
  expect(await complete()).toEqual({ status: 200, message: '' });
});

test('the files are there for keys', async () => {
  const url = new URL(`/models/tiny/${SHARD}`, isolate.url);
  expect((await fetch(url)).status).toBe(401);
  const response = await fetch(url, { headers: bearer(KEY) });
  expect(response.status).toBe(200);
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(shard);
});
