/** The Dockerfile's steps in folders, and the host that starts from them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build, type Stage } from './dockerfile.ts';

const CONTEXT = resolve(import.meta.dirname, '../..');
const KEY = 'sk-seedling-docker';
/** `-e`, as the first lines of the Dockerfile have it. Port 0 is any. */
const RUN = { PORT: '0', API_KEYS: `test:${createHash('sha256').update(KEY).digest('hex')}` };

let scratch: string;
let stages: ReadonlyMap<string, Stage>;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'seedling-image-'));
  const folder = join(scratch, 'plain');
  await mkdir(folder);
  stages = await build({
    context: CONTEXT,
    scratch: folder,
    args: {},
    done: new Map(),
    // The packages that this test runs on: `npm ci` put them there from the same lock, and it takes a minute.
    instead: new Map([['build: npm ci', (to) => symlink(join(CONTEXT, 'node_modules'), join(to, 'node_modules'))]]),
  });
}, 600_000);
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Bytes of the files below a folder. */
async function sizeOf(folder: string): Promise<number> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** `docker run`: as in the image, nothing of this process's environment. */
function start(
  image: Stage,
  variables: Readonly<Record<string, string>>,
): { child: ChildProcess; output: () => string } {
  expect(image.cmd[0]).toBe('node');
  const child = spawn(process.execPath, image.cmd.slice(1), {
    cwd: join(image.root, image.workdir),
    env: { ...image.env, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (part) => (output += part));
  return { child, output: () => output };
}

/** The texts of three pages and a completion, and the status that the host ends with after SIGTERM. */
async function visit(image: Stage, variables: Readonly<Record<string, string>>) {
  const { child, output } = start(image, variables);
  try {
    await expect.poll(output, { timeout: 20_000 }).toContain('http://');
    const url = new URL(/http:\/\/\S+:\d+/.exec(output())![0].replace('0.0.0.0', '127.0.0.1'));
    await expect.poll(async () => (await fetch(new URL('/health', url))).status, { timeout: 60_000 }).toBe(200);
    const client = new OpenAI({ baseURL: new URL('/v1', url).href, apiKey: KEY, maxRetries: 0 });
    const { choices } = await client.completions.create({
      model: 'seedling-135m',
      prompt: 'function add(a, b) {\n  return',
      max_tokens: 16,
      temperature: 0,
    });
    const pages = await Promise.all(['/', '/docs/'].map(async (path) => (await fetch(new URL(path, url))).status));
    child.kill('SIGTERM');
    const [status] = await once(child, 'exit');
    return { text: choices[0]!.text, pages, status };
  } finally {
    child.kill('SIGKILL');
  }
}

test('production packages take at most 60 MB, and ONNX Runtime and Dawn are not among them', async () => {
  const { root, workdir } = stages.get('packages')!;
  const packages = join(root, workdir, 'node_modules');
  expect(await sizeOf(packages)).toBeLessThanOrEqual(60_000_000);
  const names = await readdir(packages);
  expect(names).toContain('hono');
  expect(names).not.toContain('onnxruntime-web');
  expect(names).not.toContain('webgpu');
  expect(names).not.toContain('vitest');
});

test('the image starts, completes, shows its pages and stops', async () => {
  const { text, pages, status } = await visit(stages.get('image')!, RUN);
  expect(text).toContain('a + b');
  expect(pages).toEqual([200, 200]);
  expect(status).toBe(0);
});

test('RUNTIME=webgpu in the plain image ends the start with one sentence', async () => {
  const { child, output } = start(stages.get('image')!, { ...RUN, RUNTIME: 'webgpu' });
  const [status] = await once(child, 'close');
  expect(status).toBe(1);
  expect(output()).toMatch(
    /^Setting RUNTIME is webgpu, but onnxruntime-web and webgpu are not installed: npm install .*\n$/,
  );
});

test('with the build argument the image runs on ONNX Runtime', async () => {
  const folder = join(scratch, 'onnx');
  await mkdir(folder);
  const done = new Map([['build', stages.get('build')!]]);
  const args = { OPTIONAL_PACKAGES: 'onnxruntime-web' };
  const image = (await build({ context: CONTEXT, scratch: folder, args, done, instead: new Map() })).get('image')!;
  const packages = join(image.root, image.workdir, 'node_modules');
  await access(join(packages, 'onnxruntime-web'));
  await expect(access(join(packages, 'webgpu'))).rejects.toThrow();
  const { text } = await visit(image, { ...RUN, RUNTIME: 'onnx' });
  expect(text).toContain('a + b');
});
