/** Shards continued where a client was: what it asks for comes, of the version that it has. */
import { describe, expect, test } from 'vitest';
import { findShard, firstByte, skipBytes } from '../../../src/api/models/weight-range.ts';
import { ModelLoadError } from '../../../src/model/errors.ts';
import { fakeService } from '../../support/hosts/fake-service.ts';

const SHARD = 'weights-000.bin';
const ETAG = `"${'ab'.repeat(32)}"`;
const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
const manifest = JSON.stringify({ shards: [{ file: SHARD, bytes: 1000, sha256: 'ab'.repeat(32) }] });

const { get } = fakeService(
  { ACCESS: 'open', RATE_LIMIT: '0' },
  {},
  {},
  {
    files: {
      async weights(file) {
        const bytes = { 'manifest.json': manifest, [SHARD]: content, 'other.bin': 'other' }[file];
        if (bytes === undefined) throw new ModelLoadError(`${file} is missing`);
        return new Response(bytes).body as ReadableStream<Uint8Array>;
      },
      page: null,
    },
  },
);

async function ask(headers: Record<string, string>, file = SHARD) {
  const response = await get(`/models/fake/${file}`, headers);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { status } = response;
  return { status, bytes, range: response.headers.get('content-range'), etag: response.headers.get('etag') };
}

test('whole, with what a client needs to continue it', async () => {
  expect(await ask({})).toEqual({ status: 200, bytes: content, range: null, etag: ETAG });
});

test.each([1, 64, 999])('from byte %i', async (from) => {
  const range = `bytes ${from}-999/1000`;
  const expected = { status: 206, bytes: content.subarray(from), range, etag: ETAG };
  expect(await ask({ range: `bytes=${from}-` })).toEqual(expected);
  expect(await ask({ range: `bytes=${from}-`, 'if-range': ETAG })).toEqual(expected);
});

test('whole again, where the client has a part of another version or asks for something else', async () => {
  for (const headers of [
    { range: 'bytes=64-', 'if-range': '"other"' },
    { range: 'bytes=0-' },
    { range: 'bytes=64-128' },
    { range: 'bytes=-10' },
    { range: 'items=64-' },
  ] as Record<string, string>[]) {
    expect(await ask(headers), JSON.stringify(headers)).toMatchObject({ status: 200, bytes: content });
  }
});

test('nothing behind the end', async () => {
  expect(await ask({ range: 'bytes=1000-' })).toMatchObject({ status: 416, range: 'bytes */1000' });
});

test('a file that is no shard of the manifest comes whole', async () => {
  const other = await ask({ range: 'bytes=2-' }, 'other.bin');
  expect(other).toMatchObject({ status: 200, range: null, etag: null });
  expect((await ask({}, 'missing.bin')).status).toBe(404);
});

test.each([SHARD, 'config.json'])('no file stays open after HEAD of %s', async (file) => {
  const open = new Set<string>();
  const { app } = fakeService(
    { ACCESS: 'open', RATE_LIMIT: '0' },
    {},
    {},
    {
      files: {
        async weights(name) {
          open.add(name);
          const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
            controller.enqueue(new TextEncoder().encode(manifest));
            controller.close();
            open.delete(name);
          };
          return new ReadableStream({ pull, cancel: () => void open.delete(name) }, { highWaterMark: 0 });
        },
        page: null,
      },
    },
  );
  expect((await app.request(`/models/fake/${file}`, { method: 'HEAD' })).status).toBe(200);
  expect([...open]).toEqual([]);
});

test('no file stays open where its manifest breaks off', async () => {
  let open = 0;
  const { app } = fakeService(
    { ACCESS: 'open', RATE_LIMIT: '0' },
    {},
    {},
    {
      files: {
        async weights(file) {
          open += 1;
          const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
            open -= 1;
            if (file === 'manifest.json') controller.error(new ModelLoadError('manifest.json ends too early'));
            else controller.close();
          };
          return new ReadableStream({ pull, cancel: () => void open-- }, { highWaterMark: 0 });
        },
        page: null,
      },
    },
  );
  expect((await app.request(`/models/fake/${SHARD}`)).status).toBe(503);
  expect(open).toBe(0);
});

describe('parts', () => {
  test('a manifest that is none says nothing of any file', () => {
    for (const text of ['', '{', '[]', '{"shards":5}', '{"shards":[]}']) expect(findShard(text, SHARD)).toBeNull();
  });

  test('a range of very many digits is none', () => {
    expect(firstByte(`bytes=${'9'.repeat(20)}-`, undefined, { bytes: 5, etag: '' })).toBe(0);
  });

  test('bytes are skipped wherever chunks end', async () => {
    for (const chunk of [1, 3, 100, 1000]) {
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < 1000; at += chunk) controller.enqueue(content.slice(at, at + chunk));
          controller.close();
        },
      });
      const rest = await new Response(skipBytes(stream, 100) as BodyInit).arrayBuffer();
      expect(new Uint8Array(rest)).toEqual(content.subarray(100));
    }
  });
});
