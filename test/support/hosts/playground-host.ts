/** The built page before the real app and engine, around a model that needs no weights; and a fake of the edit route. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { createHost } from '../../../src/api/host.ts';
import { isolatePage } from '../../../src/api/models/files.ts';
import { convert } from '../../../src/convert/convert.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { startServer } from '../../../src/hosts/node/host/server.ts';
import type { WeightSource } from '../../../src/model/weight-source.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { ByteTokenizer, EOS } from '../engines/byte-tokenizer.ts';
import { FakeModel } from '../engines/fake-model.ts';
import { fixture } from '../engines/models.ts';
import { openApp } from './open-app.ts';
import type { SocketHost } from './socket-hosts.ts';
import { withAssets } from './static-site.ts';

/** What the model writes after a brace, */
export const BODY = '  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;\n  return n > 1;\n}\n';
/** in a hole, */
export const FILLING = 'a + b';
/** and for ever, after this. */
export const ENDLESS = 'count:';

const MIDDLE = 5;
/** Slow enough to be drawn, and to be cancelled. */
export const FORWARD_MS = 40;

function next(prefix: readonly number[]): number {
  const middle = prefix.lastIndexOf(MIDDLE);
  if (middle >= 0) return FILLING.charCodeAt(prefix.length - middle - 1) || EOS;
  const text = String.fromCharCode(...prefix);
  if (text.includes(ENDLESS)) return '1234567 '.charCodeAt(prefix.length % 8);
  const at = text.lastIndexOf('{\n') + 2;
  return BODY.charCodeAt(text.length - at) || EOS;
}

function engine(): Engine {
  const model = new FakeModel({
    next,
    config: { infill: { prefix: 3, suffix: 4, middle: MIDDLE, end: null, order: 'prefix_first' } },
    confidence: (position) => 0.35 + 0.64 * ((position * 7) % 11) * 0.1,
    // Some drafts do not hold: those behind a space.
    draft: (position, id) => (position % 9 === 4 ? 120 : id),
    onForward: () => setTimeout(FORWARD_MS),
    // As long with many positions as with one, so drafts pay.
    costs: { source: 'stored', positions: [1, 64], costs: [1, 1] },
  });
  return new Engine(model, new ByteTokenizer(), { concurrency: 4, waiting: 8, seconds: 30 });
}

/** The chunks of an edit that swaps the first `-` in the region for a `+`. */
function editChunks(code: string, { start, end } = { start: 0, end: code.length }): object[] {
  const at = code.indexOf('-', start);
  const found = at >= 0 && at < end;
  const span = { start: at, end: at + 1, causal_prob: 0.01 };
  const edits = found ? [{ start: at, end: at + 1, new_text: '+', confidence: 0.93 }] : [];
  const choice = { index: 0, delta: {}, finish_reason: null };
  return [
    ...(found ? [{ choices: [choice], diffusing: { span } }] : []),
    { choices: [{ ...choice, finish_reason: 'stop' }], seedling: { edits, complete: true, nfe: 21 } },
  ];
}

/** A model of random weights, small enough for a GPU that is none. */
export const TINY = 'tiny-llama';

/** @returns the directory that it is in */
async function tinyModel(): Promise<string> {
  const out = await mkdtemp(join(tmpdir(), 'seedling-playground-'));
  await convert(fixture(TINY), { name: TINY, out, dtype: 'int4', embedding: 'int4', semantics: {} });
  return out;
}

export interface PlaygroundHost extends SocketHost {
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
  /** The files of `TINY`. */
  readonly tiny: WeightSource;
}

/** A key that this host refuses; it lets in everybody else. */
export const REFUSED_KEY = 'refused';

/**
 * @param isolated as hosts serve the page: with the headers that let its workers share memory
 * @param address of this machine; on another one than loopback the page is in no secure context
 */
export async function startPlayground({ isolated = true, address = '127.0.0.1' } = {}): Promise<PlaygroundHost> {
  const settings = { maxTokens: 1024, bodyLimitBytes: 1024 * 1024, unknownFields: 'ignore' as const };
  const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine() }));
  const tiny = await tinyModel();
  const models = JSON.parse(await readFile('dist/assets/playground/models.json', 'utf8')) as object[];
  const site = new Hono();
  site.post('/v1/*', async (c, next) => {
    if (c.req.header('authorization') !== `Bearer ${REFUSED_KEY}`) return next();
    return c.json({ error: { message: 'Incorrect API key provided.' } }, 401);
  });
  site.post('/v1/edit/completions', async (c) => {
    const { code, region } = await c.req.json();
    const data = [...editChunks(code, region).map((chunk) => JSON.stringify(chunk)), '[DONE]'];
    return c.body(data.map((payload) => `data: ${payload}\n\n`).join(''), 200, { 'content-type': 'text/event-stream' });
  });
  site.all('*', (c) => app.fetch(c.req.raw));
  const assets = withAssets(site, 'dist/assets');
  const withTiny = new Hono<{ Bindings: object }>();
  withTiny.get('/playground/models.json', (c) => c.json([...models, { name: TINY, bytes: 1 }]));
  withTiny.get(
    `/models/${TINY}/*`,
    serveStatic({ root: tiny, rewriteRequestPath: (path) => path.slice('/models'.length) }),
  );
  withTiny.all('*', (c) => assets.fetch(c.req.raw, c.env));
  const asked: string[] = [];
  const logged = new Hono<{ Bindings: object }>().all('*', async (c) => {
    asked.push(c.req.path);
    c.res = await withTiny.fetch(c.req.raw, c.env);
    if (isolated) isolatePage(c);
    return c.res;
  });
  const server = await startServer(logged, 0, address);
  const url = new URL(`http://${address}:${server.address.port}`);
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= server.stop(0);
    return stopped;
  };
  return { url, asked, tiny: directorySource(join(tiny, TINY)), stop };
}
