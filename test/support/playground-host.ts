/** The built page before the real app and engine, around a model that needs no weights; and a fake of the edit route. */
import { setTimeout } from 'node:timers/promises';
import { Hono } from 'hono';
import { createApp } from '../../src/api/app.ts';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { withAssets } from '../../src/node-assets.ts';
import { startServer } from '../../src/node-server.ts';
import { ByteTokenizer, EOS } from './byte-tokenizer.ts';
import { FakeModel } from './fake-model.ts';
import type { SocketHost } from './socket-hosts.ts';

/** What the model writes after a brace, */
export const BODY = '  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;\n  return n > 1;\n}\n';
/** in a hole, */
export const FILLING = 'a + b';
/** and for ever, after this. */
export const ENDLESS = 'count:';

const MIDDLE = 5;
/** Slow enough to be drawn, and to be cancelled. */
const FORWARD_MS = 40;

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
    config: { infill: { prefix: 3, suffix: 4, middle: MIDDLE, end: null } },
    confidence: (position) => 0.35 + 0.64 * ((position * 7) % 11) * 0.1,
    // Some drafts do not hold: those behind a space.
    draft: (position, id) => (position % 9 === 4 ? 120 : id),
    onForward: () => setTimeout(FORWARD_MS),
  });
  return new Engine(model, new ByteTokenizer(), { concurrency: 4, waiting: 8, seconds: 30 });
}

/** An edit that swaps every `-` in the region for a `+`. */
function edited(code: string, { start, end } = { start: 0, end: code.length }) {
  const at = code.indexOf('-', start);
  const edits = at < 0 || at >= end ? [] : [{ start: at, end: at + 1, new_text: '+', confidence: 0.93 }];
  const text = edits.length === 0 ? code : `${code.slice(0, at)}+${code.slice(at + 1)}`;
  return { choices: [{ index: 0, message: { role: 'assistant', content: text } }], seedling: { nfe: 21, edits } };
}

export interface PlaygroundHost extends SocketHost {
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
}

/** A key that this host refuses; it lets in everybody else. */
export const REFUSED_KEY = 'refused';

export async function startPlayground(): Promise<PlaygroundHost> {
  const settings = { maxTokens: 1024, bodyLimitBytes: 1024 * 1024 };
  const app = createApp(createHost({ modelName: 'fake', settings, load: async () => engine() }));
  const site = new Hono();
  site.post('/v1/*', async (c, next) => {
    if (c.req.header('authorization') !== `Bearer ${REFUSED_KEY}`) return next();
    return c.json({ error: { message: 'Incorrect API key provided.' } }, 401);
  });
  site.post('/v1/edit/completions', async (c) => {
    const { code, region } = await c.req.json();
    return c.json(edited(code, region));
  });
  site.all('*', (c) => app.fetch(c.req.raw));
  const assets = withAssets(site, 'dist/assets');
  const asked: string[] = [];
  const logged = new Hono<{ Bindings: object }>().all('*', (c) => {
    asked.push(c.req.path);
    return assets.fetch(c.req.raw, c.env);
  });
  const server = await startServer(logged, 0, '127.0.0.1');
  const url = new URL(`http://127.0.0.1:${server.address.port}`);
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= server.stop(0);
    return stopped;
  };
  return { url, asked, stop };
}
