/**
 * What drafts are worth: greedy decoding with each source of drafts, and with their mixes, beside block length 1, on the same
 * prompts by turns. The texts must be equal. Draws docs/drafts.svg.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { openEngine } from '../../test/support/engines/engine.ts';
import { completeTimed, type OwnCompletion } from '../complete-timed.ts';
import { median, percentile, round } from '../median.ts';
import { modelName, setting, size } from '../settings.ts';
import { drawDrafts } from './drawing.ts';
import { type Kind, readKinds, type Task } from './tasks.ts';
import { runWithoutVnni } from './without-vnni.ts';

const MAX_TOKENS = 96;
const PROMPTS = 20;
/** The speed of a shorter text is not counted. */
const LEAST_TOKENS = 16;

const ONE = { block_length: 1 };
const MIXES: Readonly<Record<string, { readonly decoding: object; readonly predicts?: boolean }>> = {
  'block length 1': { decoding: ONE },
  mask: { decoding: { drafts: ['mask'] } },
  lookup: { decoding: { drafts: ['lookup'] } },
  prediction: { decoding: { drafts: ['prediction'] }, predicts: true },
  default: { decoding: {} },
};

/** A mix on the tasks of one kind. */
export interface DraftRow {
  readonly kind: string;
  readonly mix: string;
  readonly tokens_per_forward: number;
  readonly positions_per_token: number;
  readonly ms_per_token: number;
  /** Speed of block length 1 in the same run is 1; the median of the prompts, and the tenth percentile. */
  readonly speed: number;
  readonly speed_tenth: number;
  /** Share of the checked drafts that held, by source. */
  readonly held: Readonly<Record<string, number>>;
  /** Of each prompt, ascending. */
  readonly speeds: readonly number[];
}

export async function run(): Promise<object> {
  const without = await runWithoutVnni();
  if (without) return without;
  const model = modelName();
  const engine = await openEngine(model);
  const kinds = await readKinds(engine, size('BENCH_PROMPTS', PROMPTS), size('BENCH_TOKENS', MAX_TOKENS));
  const costs = engine.model.costs.costs.map((cost) => round(cost));
  console.log(`${model}, ${kernelFlavour()} kernels, ${engine.model.dot}; cost by rows ${costs.join(' ')}`);
  const complete = ({ prompt, tokens, fields }: Task, decoding: object) =>
    completeTimed(engine, prompt, tokens, { ...decoding }, fields);
  // The WASM engine compiles the kernels again once they are hot.
  for (const { decoding } of Object.values(MIXES)) await complete(kinds[0]!.tasks[0]!, decoding);
  const rows: DraftRow[] = [];
  let unequal = 0;
  for (const kind of kinds) {
    const measured = await measure(kind, complete);
    unequal += measured.unequal;
    for (const row of measured.rows) console.log(shown(row));
    rows.push(...measured.rows);
  }
  console.log(`${unequal} texts differ from those of block length 1`);
  const drawings = setting('BENCH_DRAWINGS') ?? 'docs';
  await mkdir(drawings, { recursive: true });
  await writeFile(join(drawings, 'drafts.svg'), drawDrafts(rows));
  const sets = Object.fromEntries(kinds.map(({ name, set, tasks }) => [name, `${tasks.length} of ${set}`]));
  return { model, dot: engine.model.dot, costs, sets, unequal, rows: rows.map(({ speeds: _, ...row }) => row) };
}

async function measure(kind: Kind, complete: (task: Task, decoding: object) => Promise<OwnCompletion>) {
  const mixes = Object.entries(MIXES).filter(([, { predicts }]) => !predicts || kind.name.startsWith('edits'));
  const runs = new Map<string, OwnCompletion[]>(mixes.map(([mix]) => [mix, []]));
  let unequal = 0;
  for (const task of kind.tasks) {
    let text: string | undefined;
    for (const [mix, { decoding }] of mixes) {
      const own = await complete(task, decoding);
      text ??= own.timed.text;
      if (own.timed.text !== text) unequal++;
      if (own.timed.tokens >= LEAST_TOKENS) runs.get(mix)!.push(own);
    }
  }
  const single = runs.get('block length 1')!;
  return { unequal, rows: mixes.map(([mix]) => rowOf(kind.name, mix, runs.get(mix)!, single)) };
}

function rowOf(kind: string, mix: string, runs: readonly OwnCompletion[], single: readonly OwnCompletion[]): DraftRow {
  const sum = (of: (run: OwnCompletion) => number) => runs.reduce((total, run) => total + of(run), 0);
  const tokens = sum(({ timed }) => timed.tokens);
  const speeds = runs.map((run, i) => single[i]!.cost.decodeMs / run.cost.decodeMs).sort((a, b) => a - b);
  const sources = ['prediction', 'lookup', 'mask'] as const;
  const held = sources.flatMap((source) => {
    const offered = sum(({ cost }) => cost.drafts[source]?.offered ?? 0);
    return offered === 0 ? [] : [[source, round(sum(({ cost }) => cost.drafts[source]?.held ?? 0) / offered)]];
  });
  return {
    kind,
    mix,
    tokens_per_forward: round(tokens / sum(({ cost }) => cost.nfe)),
    positions_per_token: round(sum(({ cost }) => cost.positionForwards) / tokens),
    ms_per_token: round(sum(({ cost }) => cost.decodeMs) / tokens),
    speed: round(median(speeds)),
    speed_tenth: round(percentile(speeds, 0.1)),
    held: Object.fromEntries(held),
    speeds,
  };
}

function shown({
  kind,
  mix,
  speed,
  speed_tenth,
  tokens_per_forward,
  positions_per_token,
  ms_per_token,
  held,
}: DraftRow) {
  const sources = Object.entries(held).map(([source, share]) => `${source} ${share}`);
  return [
    `${kind}, ${mix}: speed ${speed}, tenth ${speed_tenth}`,
    `${tokens_per_forward} tokens a forward, ${positions_per_token} positions a token, ${ms_per_token} ms a token`,
    ...(sources.length > 0 ? [`held ${sources.join(', ')}`] : []),
  ].join('; ');
}
