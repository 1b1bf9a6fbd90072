/** A local server that speaks the calls a fetch from the Hub makes, with its large files on another origin. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { convert } from '../../../src/convert/convert.ts';
import { fetchFromHub, type HubOptions } from '../../../src/convert/hub/fetch.ts';
import { cutAfter, type FileServer, type Misbehaviour, serveFiles } from '../../sources/file-server.ts';
import { temporaryDirectory, writeCheckpoint } from '../support/tiny-checkpoint.ts';

const COMMIT = 'c0ffee'.padEnd(40, '0');
const WEIGHTS = 'model.safetensors';
const TOKEN = 'hf_secret';

const checkpoint = await writeCheckpoint();
const files = new Map<string, Buffer>();
for (const file of await readdir(checkpoint)) files.set(file, await readFile(join(checkpoint, file)));
files.set('README.md', Buffer.from('# not needed'));
const weights = files.get(WEIGHTS) as Buffer;
const sha256 = createHash('sha256').update(weights).digest('hex');

let hub: { readonly url: string; readonly asked: string[]; close(): void };
let storage: FileServer;
let cache: string;
let listed = files;
let misbehave: Misbehaviour = () => false;

beforeEach(async () => {
  listed = new Map(files);
  misbehave = () => false;
  cache = await mkdtemp(join(tmpdir(), 'seedling-hub-'));
  storage = await serveFiles(new Map([['blob', weights]]), (...all) => misbehave(...all));
  hub = await startHub();
});
afterEach(async () => {
  hub.close();
  await storage.close();
});

async function startHub() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    asked.push(path);
    const private_ = path.includes('/private') && request.headers.authorization !== `Bearer ${TOKEN}`;
    if (private_) return void response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"no"}');
    if (/^\/api\/models\/owner\/(tiny|private)\/revision\/(main|v1)$/.test(path)) {
      return json(response, { _id: '1', id: 'owner/tiny', sha: COMMIT, siblings: [] });
    }
    if (path.endsWith(`/tree/${COMMIT}`))
      return json(
        response,
        [...listed].map(([name, content]) => entry(name, content)),
      );
    const file = new RegExp(`^/owner/\\w+/resolve/${COMMIT}/(.+)$`).exec(path)?.[1] ?? '';
    if (file === WEIGHTS) return void response.writeHead(302, { location: `${storage.url}blob` }).end();
    const content = listed.get(file);
    if (content === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': content.length }).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url, asked, close };
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function entry(path: string, content: Buffer): object {
  const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const lfs = path === WEIGHTS ? { lfs: { oid: sha256, size: content.length, pointerSize: 130 } } : {};
  return { type: 'file', path, size: content.length, oid, ...lfs };
}

function take(reference = 'hf:owner/tiny', options: HubOptions = {}): Promise<string> {
  const patience = { retries: 2, backoffMs: 1 };
  return fetchFromHub(reference, { hubUrl: hub.url, cacheDirectory: cache, patience, ...options });
}

test('fetches what a conversion reads, once, into the layout of the shared cache', async () => {
  const told: string[] = [];
  const progress = (name: string) => (done: number, total: number) => void told.push(`${name} ${done}/${total}`);
  const directory = await take('hf:owner/tiny@v1', { progress });
  expect(directory).toBe(join(cache, 'models--owner--tiny', 'snapshots', COMMIT));
  expect((await readdir(directory)).sort()).toEqual(['config.json', WEIGHTS, 'tokenizer.json']);
  expect((await readdir(join(cache, 'models--owner--tiny', 'blobs'))).length).toBe(3);
  expect(told.at(-1)).toBe(`hf:owner/tiny@v1: ${WEIGHTS} ${weights.length}/${weights.length}`);
  const out = await temporaryDirectory();
  expect(
    (await convert(directory, { name: 'x', out, dtype: 'int4', embedding: 'int4', semantics: {} })).config.name,
  ).toBe('x');
  await take();
  expect(storage.asked).toHaveLength(1);
});

test('npm run convert -- hf:OWNER/NAME, with the variables of the Hub', async () => {
  const out = await temporaryDirectory();
  const cli = new URL('../../../src/convert/cli.ts', import.meta.url).pathname;
  const env = { ...process.env, HF_ENDPOINT: hub.url, HF_TOKEN: TOKEN, HF_HUB_CACHE: cache };
  const run = promisify(execFile)(process.execPath, [cli, 'hf:owner/private', 'mine', '--out', out], { env });
  const { stdout, stderr } = await run;
  expect(stdout).toContain(`${join(out, 'mine')}: 1 shards`);
  expect(stderr).toMatch(/hf:owner\/private: model\.safetensors: ([\d.]+) of \1 MiB\n$/);
  expect(JSON.parse(await readFile(join(out, 'mine', 'config.json'), 'utf8')).name).toBe('mine');
});

describe('a transfer that breaks', () => {
  test('goes on within the run', async () => {
    let cuts = 0;
    misbehave = (_, response, content) => (cuts++ > 0 ? false : cutAfter(response, content, 5000));
    const directory = await take();
    expect(Buffer.compare(await readFile(join(directory, WEIGHTS)), weights)).toBe(0);
    expect(storage.asked.map(({ range }) => range)).toEqual([undefined, 'bytes=5000-']);
  });

  test('goes on in the next run', async () => {
    misbehave = (request, response, content) =>
      request.headers.range ? response.destroy() : cutAfter(response, content, 5000);
    await expect(take()).rejects.toThrow(/^hf:owner\/tiny: model\.safetensors cannot be read: .*, 3 times$/);
    misbehave = () => false;
    const before = storage.asked.length;
    const directory = await take();
    expect(Buffer.compare(await readFile(join(directory, WEIGHTS)), weights)).toBe(0);
    expect(storage.asked.slice(before).map(({ range }) => range)).toEqual(['bytes=5000-']);
  });

  test('is dropped where the part before was wrong', async () => {
    const blobs = join(cache, 'models--owner--tiny', 'blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${sha256}.incomplete`), Buffer.alloc(5000, 1));
    await expect(take()).rejects.toThrow(
      /model\.safetensors came wrong: its hash is [0-9a-f]{64}, not .*; fetch it again/,
    );
    const directory = await take();
    expect(Buffer.compare(await readFile(join(directory, WEIGHTS)), weights)).toBe(0);
  });
});

test('the token opens a private model, and stays with the hub', async () => {
  await expect(take('hf:owner/private')).rejects.toThrow(/the hub answers 401: .* set HF_TOKEN$/);
  await expect(take('hf:owner/private', { accessToken: 'hf_other' })).rejects.toThrow(
    /token in HF_TOKEN does not open it/,
  );
  await take('hf:owner/private', { accessToken: TOKEN });
  expect(storage.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
});

test.each<[string, string, () => void, RegExp]>([
  [
    'no such model',
    'hf:owner/absent',
    () => {},
    /^hf:owner\/absent: the hub answers 404: there is no such model or revision$/,
  ],
  ['no such revision', 'hf:owner/tiny@v9', () => {}, /^hf:owner\/tiny@v9: the hub answers 404/],
  ['no tokenizer', 'hf:owner/tiny', () => listed.delete('tokenizer.json'), /^hf:owner\/tiny has no tokenizer\.json$/],
  ['no safetensors', 'hf:owner/tiny', () => listed.delete(WEIGHTS), /has neither model\.safetensors nor/],
  ['nobody there', 'hf:owner/tiny', () => hub.close(), /^hf:owner\/tiny: the hub cannot be asked: ECONNREFUSED$/],
  ['no name', 'hf:tiny', () => {}, /^hf:tiny: write hf:OWNER\/NAME/],
])('%s', async (_what, reference, change, message) => {
  change();
  await expect(take(reference)).rejects.toThrow(message);
});

describe('the chat template', () => {
  const OWN = 'chat_template.jinja';
  const CONFIG = 'tokenizer_config.json';
  const jinja = (template: string) => Buffer.from(template);
  const config = (settings: object) => Buffer.from(JSON.stringify(settings));

  test.each<[string, Record<string, Buffer>, object | undefined]>([
    ['in a file of its own', { [OWN]: jinja('T') }, { template: 'T', bosToken: '', eosToken: '' }],
    [
      'in a file of its own, with texts of tokens beside it',
      { [OWN]: jinja('T'), [CONFIG]: config({ bos_token: '<s>', eos_token: '</s>' }) },
      { template: 'T', bosToken: '<s>', eosToken: '</s>' },
    ],
    [
      'in tokenizer_config.json',
      { [CONFIG]: config({ chat_template: 'U' }) },
      { template: 'U', bosToken: '', eosToken: '' },
    ],
    [
      'in both',
      { [OWN]: jinja('T'), [CONFIG]: config({ chat_template: 'U' }) },
      { template: 'T', bosToken: '', eosToken: '' },
    ],
    [
      'with line ends and no ASCII',
      { [OWN]: jinja('{{ "é" }}\n\n') },
      { template: '{{ "é" }}\n\n', bosToken: '', eosToken: '' },
    ],
    ['nowhere', {}, undefined],
    ['in a file of another name', { 'template.jinja': jinja('T'), 'chat_template.jinja.bak': jinja('T') }, undefined],
  ])('is the one that a directory of the same files has: %s', async (_what, more, template) => {
    for (const [file, content] of Object.entries(more)) listed.set(file, content);
    const options = { name: 'x', dtype: 'int4', embedding: 'int4', semantics: {} } as const;
    const fetched = await convert(await take(), { ...options, out: await temporaryDirectory() });
    expect(fetched.config.chatTemplate).toEqual(template);
    const directory = await temporaryDirectory();
    for (const [file, content] of listed) await writeFile(join(directory, file), content);
    const local = await convert(directory, { ...options, out: await temporaryDirectory() });
    // The two conversions may stand in different seconds.
    expect({ ...local.config, created: 0 }).toEqual({ ...fetched.config, created: 0 });
  });
});
