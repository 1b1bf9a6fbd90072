/**
 * `npm run trajectories -- OUT.jsonl`: what a model writes after beginnings from the training corpus, and in which order.
 *
 * The recipe trains on it: on the texts (`python -m recipe own`), because decoding needs agreement with the model itself,
 * and on the orders (`python -m recipe orders`). Seed Diffusion (arXiv 2508.02193), section 3.2: a pool of the model's own
 * trajectories; `--pool K` writes K of each beginning, under other seeds and, by turns, each `--decoding`.
 */
import { createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { readNpyUint16 } from '../eval/heldout/npy.ts';
import { completionRequestSchema } from '../src/api/completions/schema.ts';
import { resolveRequest } from '../src/api/generate/resolve.ts';
import type { Engine } from '../src/engine/engine.ts';
import { readSettings } from '../src/hosts/settings.ts';
import { openEngine } from '../test/support/engines/engine.ts';
import { type TrajectoryRecord, TrajectoryRecorder } from './trajectory-record.ts';

/** One line of the output. */
interface Trajectory extends TrajectoryRecord {
  /** Which beginning: records of the same one are a pool. */
  readonly text: number;
  readonly seed: number;
  /** The request's `decoding`, as given. */
  readonly decoding: unknown;
  /** Tokens per block of the grid that begins after the prompt; 1 where decoding followed no grid. */
  readonly block: number;
  /** Model forwards after the prefill. */
  readonly nfe: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '1000' },
    'prompt-tokens': { type: 'string', default: '64' },
    'max-tokens': { type: 'string', default: '192' },
    temperature: { type: 'string', default: '0' },
    /** JSON of a request's `decoding` field; given several times, the trajectories of a pool take turns. */
    decoding: { type: 'string', multiple: true, default: ['{"block_length":1}'] },
    /** Trajectories of each beginning. */
    pool: { type: 'string', default: '1' },
    seed: { type: 'string', default: '0' },
  },
});
const [out] = positionals;
if (out === undefined) throw new Error('usage: npm run trajectories -- OUT.jsonl [--count N] [--decoding JSON] ...');

/** The recipe's training tokens, as `python -m recipe corpus` leaves them. */
async function readCorpus(): Promise<Uint16Array[]> {
  const folder = join(process.env.SEEDLING_CACHE ?? join(homedir(), '.cache', 'seedling'), 'tokens', 'train');
  const files = await readdir(folder).catch(() => []);
  if (files.length === 0) throw new Error(`no training tokens in ${folder}: run python -m recipe corpus`);
  const names = files.filter((name) => name.endsWith('.npy')).sort();
  return Promise.all(names.map(async (name) => readNpyUint16(await readFile(join(folder, name)))));
}

async function trajectory(engine: Engine, text: number, prompt: readonly number[], k: number): Promise<Trajectory> {
  // Texts of different walks and members of one pool draw differently.
  const seed = Number(values.seed) + text * pool + k;
  const decoding: unknown = JSON.parse(decodings[k % decodings.length]!);
  const body = completionRequestSchema.parse({
    prompt: [...prompt],
    max_tokens: Number(values['max-tokens']),
    temperature: Number(values.temperature),
    seed,
    decoding,
  });
  const request = resolveRequest(body, engine.model, readSettings(process.env));
  const recorder = new TrajectoryRecorder();
  let nfe = 0;
  for await (const event of engine.generate(request)) {
    if (event.type === 'step') recorder.add(event);
    if (event.type === 'done') nfe = event.cost.nfe;
  }
  // Verified drafts slide with what was confirmed: there is no grid to speak of.
  const block = request.decoding.verify ? 1 : (request.decoding.blockLength ?? engine.model.config.blockLength);
  return { text, seed, decoding, block, nfe, ...recorder.record(prompt) };
}

const pool = Number(values.pool);
const decodings = values.decoding;
if (!(Number.isInteger(pool) && pool >= 1)) throw new Error('--pool must be a positive whole number');
if (
  Number(values.temperature) === 0 &&
  pool > decodings.length &&
  !decodings.some((json) => json.includes('"random"'))
) {
  throw new Error(
    `--pool ${pool} would repeat itself: give --temperature, ${pool} times --decoding, or the policy random`,
  );
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
  const prompt = Array.from(tokens.subarray(at, at + length));
  for (let k = 0; k < pool; k++) {
    const made = await trajectory(engine, i, prompt, k);
    file.write(`${JSON.stringify(made)}\n`);
    written += made.ids.length;
  }
  if (process.stderr.isTTY || i % 20 === 19) {
    const speed = written / ((performance.now() - started) / 1000);
    process.stderr.write(`${i + 1}/${count} texts, ${written} tokens, ${speed.toFixed(1)} tokens/s\n`);
  }
}
file.end();
await finished(file);
