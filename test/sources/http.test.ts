/** Servers that cut, refuse, lie, ignore and dawdle: the content comes whole, or an error names the file. */
import { afterEach, describe, expect, test } from 'vitest';
import { ModelLoadError } from '../../src/model/errors.ts';
import { httpSource, UnreachableError } from '../../src/sources/http.ts';
import { cutAfter, ETAG, type FileServer, type Misbehaviour, serveFiles } from './file-server.ts';

const content = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 24);
const files = new Map<string, Uint8Array>([
  ['shard.bin', content],
  ['empty.bin', new Uint8Array()],
  ['config.json', new TextEncoder().encode('{"name":"é"}')],
  ['broken.json', new TextEncoder().encode('{"name":')],
]);
const QUICK = { retries: 3, backoffMs: 1, silenceMs: 5000 };

let server: FileServer;
afterEach(() => server.close());

async function open(misbehave?: Misbehaviour, patience: Partial<typeof QUICK> = {}) {
  server = await serveFiles(files, misbehave);
  return httpSource(server.url, { patience: { ...QUICK, ...patience } });
}

async function read(source: ReturnType<typeof httpSource>, file = 'shard.bin'): Promise<Uint8Array> {
  const reader = (await source.stream(file)).getReader({ mode: 'byob' });
  const pieces: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(10_000));
    if (done) return Buffer.concat(pieces);
    pieces.push(value.slice());
  }
}

/** Does `first` to the first request, and nothing to the others. */
function once(first: Misbehaviour): Misbehaviour {
  let before = false;
  return (...all) => {
    if (before) return false;
    before = true;
    return first(...all);
  };
}

test('JSON, and shards of any length, from a base with and without a slash, or with a query', async () => {
  const source = await open();
  expect(await source.json('config.json')).toEqual({ name: 'é' });
  expect(Buffer.compare(await read(source), content)).toBe(0);
  expect((await read(source, 'empty.bin')).length).toBe(0);
  expect(await httpSource(server.url.slice(0, -1)).json('config.json')).toEqual({ name: 'é' });
  expect(await httpSource(`${server.url}?key=1`).json('config.json')).toEqual({ name: 'é' });
  expect(server.asked.map(({ query }) => query)).toEqual([undefined, undefined, undefined, undefined, 'key=1']);
});

describe('comes whole', () => {
  test.each<[string, Misbehaviour]>([
    ['cut', once((_, response) => cutAfter(response, content, 100_000))],
    [
      'cut, without a length',
      once((_, response) => {
        response.writeHead(200, { etag: ETAG }).write(content.subarray(0, 100_000), () => response.destroy());
      }),
    ],
    ['cut at the first byte', once((_, response) => cutAfter(response, content, 0))],
    ['503 first', once((_, response) => response.writeHead(503).end())],
    ['reset before any answer', once((request) => request.socket.destroy())],
    [
      'cut, then ranges ignored',
      (request, response) => {
        if (request.headers.range) return response.writeHead(200, { etag: ETAG }).end(content);
        return cutAfter(response, content, 100_000);
      },
    ],
    [
      'dripping slowly, each silence shorter than the limit',
      (_, response) => {
        response.writeHead(200, { 'content-length': content.length });
        let at = 0;
        const drip = () => {
          if (at >= content.length) return void response.end();
          response.write(content.subarray(at, at + 60_000));
          at += 60_000;
          setTimeout(drip, 20);
        };
        drip();
      },
    ],
  ])('%s', async (_what, misbehave) => {
    expect(Buffer.compare(await read(await open(misbehave)), content)).toBe(0);
  });
});

test('continues where it was cut, on condition that the content is the same', async () => {
  await read(await open(once((_, response) => cutAfter(response, content, 100_000))));
  const [first, second] = server.asked;
  expect(first).toMatchObject({ path: 'shard.bin', range: undefined, ifRange: undefined });
  expect(second).toMatchObject({ path: 'shard.bin', range: 'bytes=100000-', ifRange: ETAG });
});

test('a silent connection is given up and tried again', async () => {
  const silent = once((_, response) => {
    response.writeHead(200, { etag: ETAG, 'content-length': content.length });
    response.write(content.subarray(0, 1000));
  });
  expect(Buffer.compare(await read(await open(silent, { silenceMs: 200 })), content)).toBe(0);
  expect(server.asked.map(({ range }) => range)).toEqual([undefined, 'bytes=1000-']);
});

describe('fails by name', () => {
  const cut: Misbehaviour = (_, response) => cutAfter(response, content, 0);
  test.each<[string, string, Misbehaviour, RegExp, number]>([
    ['missing', 'absent.bin', () => false, /^absent\.bin is missing \(status 404\)$/, 1],
    ['forbidden', 'shard.bin', (_, r) => r.writeHead(403).end(), /^shard\.bin cannot be read: status 403$/, 1],
    [
      '500 for ever',
      'shard.bin',
      (_, r) => r.writeHead(500).end(),
      /shard\.bin cannot be read: status 500, 4 times$/,
      4,
    ],
    ['cut for ever', 'shard.bin', cut, /^shard\.bin cannot be read: .*, 4 times$/, 4],
    [
      'more promised than there is',
      'shard.bin',
      (request, response) =>
        request.headers.range
          ? false
          : cutAfter(response, content, content.length, { 'content-length': content.length + 9 }),
      /^shard\.bin cannot be read: status 416$/,
      2,
    ],
    [
      'another version after the cut',
      'shard.bin',
      (request, response) =>
        request.headers.range
          ? response.writeHead(200, { etag: '"two"' }).end(content)
          : cutAfter(response, content, 100_000),
      /^shard\.bin changed on the server while it was read$/,
      2,
    ],
    [
      'another range than asked for',
      'shard.bin',
      (request, response) =>
        request.headers.range
          ? response.writeHead(206, { etag: ETAG, 'content-range': 'bytes 0-9/300000' }).end(content.subarray(0, 10))
          : cutAfter(response, content, 100_000),
      /^shard\.bin: the server answered with other bytes than asked for$/,
      2,
    ],
  ])('%s', async (_what, file, misbehave, message, requests) => {
    const reading = read(await open(misbehave), file);
    await expect(reading).rejects.toThrow(ModelLoadError);
    await expect(reading).rejects.toThrow(message);
    expect(server.asked).toHaveLength(requests);
  });

  test('JSON that is none', async () => {
    await expect((await open()).json('broken.json')).rejects.toThrow('broken.json is not JSON');
  });

  test('nobody there', async () => {
    const source = await open();
    await server.close();
    await expect(source.json('config.json')).rejects.toThrow(UnreachableError);
    await expect(source.json('config.json')).rejects.toThrow(/^config\.json cannot be read: ECONNREFUSED, 4 times$/);
  });
});

test('a consumer that stops ends the transfer', async () => {
  let closed = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const source = await open((_, response) => {
    response.on('close', closed);
    response.writeHead(200).write(content.subarray(0, 1000));
  });
  const reader = (await source.stream('shard.bin')).getReader();
  await reader.read();
  await reader.cancel();
  await gone;
});
