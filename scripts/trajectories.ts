/**
 * `npm run trajectories -- OUT.jsonl`: what a model writes after beginnings from the training corpus, and in which order.
 *
 * The recipe trains on it: on the texts (`python -m recipe.own`), because decoding needs agreement with the model itself,
 * and on the orders. Seed Diffusion (arXiv 2508.02193), section 3.2: a pool of the model's own trajectories.
 */
import { createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { resolveRequest } from '../src/api/resolve-request.ts';
import { completionRequestSchema } from '../src/api/schemas.ts';
import type { Engine } from '../src/engine/engine.ts';
import { readSettings } from '../src/settings.ts';
import { readNpyUint16 } from '../test/eval/npy.ts';
import { openEngine } from '../test/support/engine.ts';

interface Trajectory {
  /** Ids of the beginning. */
  readonly prompt: readonly number[];
  /** Ids of the continuation. */
  readonly ids: readonly number[];
  /** Per forward, the offsets that it decided. */
  readonly steps: readonly (readonly number[])[];
  /** Sum of log-probabilities of the ids when they were decided, nats. */
  readonly log_likelihood: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '1000' },
    'prompt-tokens': { type: 'string', default: '64' },
    'max-tokens': { type: 'string', default: '192' },
    temperature: { type: 'string', default: '0' },
    /** JSON of a request's `decoding` field. */
    decoding: { type: 'string', default: '{"block_length":1}' },
    seed: { type: 'string', default: '0' },
  },
});
const [out] = positionals;
if (out === undefined) throw new Error('usage: npm run trajectories -- OUT.jsonl [--count N] [--decoding JSON] ...');

/** The recipe's training tokens, as `python -m recipe.corpus` leaves them. */
async function readCorpus(): Promise<Uint16Array[]> {
  const folder = join(process.env.SEEDLING_CACHE ?? join(homedir(), '.cache', 'seedling'), 'tokens', 'train');
  const files = await readdir(folder).catch(() => []);
  if (files.length === 0) throw new Error(`no training tokens in ${folder}: run python -m recipe.corpus`);
  const names = files.filter((name) => name.endsWith('.npy')).sort();
  return Promise.all(names.map(async (name) => readNpyUint16(await readFile(join(folder, name)))));
}

async function trajectory(engine: Engine, prompt: readonly number[], seed: number): Promise<Trajectory> {
  const body = completionRequestSchema.parse({
    prompt: [...prompt],
    max_tokens: Number(values['max-tokens']),
    temperature: Number(values.temperature),
    seed,
    decoding: JSON.parse(values.decoding),
  });
  const ids = new Map<number, number>();
  const logs = new Map<number, number>();
  const steps: number[][] = [];
  for await (const event of engine.generate(resolveRequest(body, engine.model, readSettings(process.env)))) {
    if (event.type !== 'step') continue;
    steps.push([...event.positions]);
    for (const [i, offset] of event.positions.entries()) {
      ids.set(offset, event.ids[i] ?? 0);
      logs.set(offset, Math.log(event.probs[i] ?? 1));
    }
    for (const offset of event.remasked) {
      ids.delete(offset);
      logs.delete(offset);
    }
  }
  const offsets = [...ids.keys()].sort((a, b) => a - b);
  return {
    prompt,
    ids: offsets.map((offset) => ids.get(offset) ?? 0),
    steps,
    log_likelihood: Math.round([...logs.values()].reduce((sum, log) => sum + log, 0) * 1000) / 1000,
  };
}

const engine = await openEngine(process.env.MODEL ?? 'seedling-135m');
const corpus = await readCorpus();
const total = corpus.reduce((sum, tokens) => sum + tokens.length, 0);
const length = Number(values['prompt-tokens']);
const count = Number(values.count);
const file = createWriteStream(out);
const started = performance.now();
let written = 0;
for (let i = 0; i < count; i++) {
  // A low-discrepancy walk: any number of beginnings is spread over the whole corpus.
  let at = Math.floor((((i + 0.5) * 0.618033988749895 + Number(values.seed) * 0.7548776662466927) % 1) * total);
  const tokens = corpus.find((part) => {
    if (at < part.length) return true;
    at -= part.length;
    return false;
  });
  if (!tokens || at + length > tokens.length) continue;
  const made = await trajectory(engine, Array.from(tokens.subarray(at, at + length)), Number(values.seed) + i);
  file.write(`${JSON.stringify(made)}\n`);
  written += made.ids.length;
  if (process.stderr.isTTY || i % 20 === 19) {
    const speed = written / ((performance.now() - started) / 1000);
    process.stderr.write(`${i + 1}/${count} texts, ${written} tokens, ${speed.toFixed(1)} tokens/s\n`);
  }
}
file.end();
await finished(file);
