/**
 * Decoding rules compared: how much of the text agrees with block length 1, and how many held-out lines are filled exactly,
 * by forwards a token and by milliseconds a token. Draws docs/policies.svg.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeIds } from '../eval/heldout/decode-ids.ts';
import { evenStarts, readHeldoutPackages, shareOf } from '../eval/heldout/heldout-tokens.ts';
import { type Hole, lineHole } from '../eval/heldout/holes.ts';
import { sharedPrefix } from '../eval/score.ts';
import { type EvalSettings, readEvalSettings } from '../eval/settings.ts';
import { completionRequestSchema } from '../src/api/completions/schema.ts';
import { resolveRequest } from '../src/api/generate/resolve.ts';
import type { Engine } from '../src/engine/engine.ts';
import { readSettings } from '../src/hosts/settings.ts';
import { openEngine, openTokenizer } from '../test/support/engines/engine.ts';
import { round } from './median.ts';
import { promptsUpTo } from './prompts.ts';
import { setting, size } from './settings.ts';
import { type Series, svgPlots } from './svg-plot.ts';

const BLOCK = 8;
const MAX_TOKENS = 32;
const WINDOW_TOKENS = 160;

/** A rule and the values of its parameter, from careful to bold. */
const RULES: readonly { readonly name: string; readonly decoding: readonly object[] }[] = [
  { name: 'confidence', decoding: [0.95, 0.9, 0.7, 0.5].map((threshold) => ({ policy: 'confidence', threshold })) },
  { name: 'factor', decoding: [0.25, 0.5, 1, 2].map((factor) => ({ policy: 'factor', factor })) },
  { name: 'frechet', decoding: [0.75, 0.5, 0.25, 0].map((delta) => ({ policy: 'frechet', delta })) },
  { name: 'entropy_bound', decoding: [0.05, 0.1, 0.5, 1].map((gamma) => ({ policy: 'entropy_bound', gamma })) },
  { name: 'fixed, linear', decoding: steps('fixed', 'linear') },
  { name: 'fixed, cosine', decoding: steps('fixed', 'cosine') },
  { name: 'left_to_right', decoding: steps('left_to_right') },
  { name: 'random', decoding: steps('random') },
  // Its steps come on top of those that decide, so compare it where the forwards are the same.
  {
    name: 'fixed, remasking',
    decoding: [4, 2, 1].map((steps) => ({
      policy: 'fixed',
      steps,
      remasking: { strategy: 'confidence', sigma: 0.2, steps: 4 },
    })),
  },
];

/** A plot has this many colours. Further curves are dashed. */
const COLOURS = 6;

/** Checked drafts: the text is that of block length 1 by construction, and only the cost differs. */
const VERIFIED = { name: 'verify', decoding: [0.9, 0.6, 0.3].map((threshold) => ({ verify: true, threshold })) };

interface Point {
  readonly rule: string;
  readonly decoding: object;
  /** Share of the text, from its start, that agrees with block length 1. */
  readonly agreement: number;
  /** Share of held-out lines that are filled exactly. Null without held-out lines. */
  readonly exact_lines: number | null;
  readonly nfe_per_token: number;
  readonly ms_per_token: number;
}

function steps(policy: string, schedule?: string): object[] {
  return [8, 4, 2, 1].map((steps) => ({ policy, steps, ...(schedule && { schedule }) }));
}

class Runner {
  readonly engine: Engine;
  nfe = 0;
  tokens = 0;
  ms = 0;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  async complete(prompt: string, suffix: string | null, maxTokens: number, decoding: object): Promise<string> {
    const body = completionRequestSchema.parse({ prompt, suffix, max_tokens: maxTokens, seed: 0, decoding });
    const request = resolveRequest(body, this.engine.model, readSettings(process.env));
    let text = '';
    for await (const event of this.engine.generate(request)) {
      if (event.type === 'block') text += event.text;
      if (event.type !== 'done') continue;
      this.nfe += event.cost.nfe;
      this.ms += event.cost.decodeMs;
      this.tokens += event.usage.completionTokens;
    }
    return text;
  }
}

export async function run(): Promise<object> {
  const settings = readEvalSettings(process.env);
  const engine = await openEngine(settings.model);
  const count = size('BENCH_HOLES', 24, 0);
  const holes = count === 0 ? [] : await lineHoles(settings, count);
  const prompts = promptsUpTo(size('BENCH_PROMPTS', Number.POSITIVE_INFINITY));
  const maxTokens = size('BENCH_TOKENS', MAX_TOKENS);
  const reference: string[] = [];
  const single = new Runner(engine);
  for (const prompt of prompts) reference.push(await single.complete(prompt, null, maxTokens, { block_length: 1 }));
  const task: Task = { prompts, reference, holes, maxTokens };
  const points: Point[] = [];
  for (const { name, decoding } of [...RULES, VERIFIED]) {
    for (const one of decoding) points.push(await measure(engine, name, one, task));
  }
  const drawings = setting('BENCH_DRAWINGS') ?? 'docs';
  await mkdir(drawings, { recursive: true });
  await writeFile(join(drawings, 'policies.svg'), draw(points));
  return { model: settings.model, block_length: BLOCK, prompts: prompts.length, holes: holes.length, points };
}

/** What every rule decodes. */
interface Task {
  readonly prompts: readonly string[];
  /** Their texts at block length 1. */
  readonly reference: readonly string[];
  readonly holes: readonly Hole[];
  readonly maxTokens: number;
}

async function measure(
  engine: Engine,
  rule: string,
  decoding: object,
  { prompts, reference, holes, maxTokens }: Task,
): Promise<Point> {
  const runner = new Runner(engine);
  const asked = { verify: false, block_length: BLOCK, ...decoding };
  let agreement = 0;
  for (const [i, prompt] of prompts.entries()) {
    agreement += sharedPrefix(reference[i]!, await runner.complete(prompt, null, maxTokens, asked));
  }
  const { nfe, ms, tokens } = runner;
  let exact = 0;
  for (const { prefix, middle, suffix } of holes) {
    exact += Number((await runner.complete(prefix, suffix, maxTokens, asked)) === middle);
  }
  const point = {
    rule,
    decoding,
    agreement: round(agreement / prompts.length),
    exact_lines: holes.length === 0 ? null : round(exact / holes.length),
    nfe_per_token: round(nfe / tokens),
    ms_per_token: round(ms / tokens, 1),
  };
  console.log(JSON.stringify(point));
  return point;
}

async function lineHoles(settings: EvalSettings, count: number): Promise<Hole[]> {
  const packages = await readHeldoutPackages(settings);
  const tokenizer = await openTokenizer(settings.model);
  const windows = packages.flatMap(({ tokens }, index) =>
    evenStarts(tokens.length, WINDOW_TOKENS, shareOf(count, index, packages.length)).map((start) =>
      decodeIds(tokenizer, tokens.subarray(start, start + WINDOW_TOKENS)),
    ),
  );
  return windows.flatMap((text, i) => lineHole(text, i) ?? []);
}

function draw(points: readonly Point[]): string {
  const series = (y: 'agreement' | 'exact_lines'): Series[] =>
    [...RULES, VERIFIED].map(({ name }, i) => ({
      name,
      marks: true,
      dashed: i >= COLOURS,
      points: points
        .filter(({ rule }) => rule === name)
        .flatMap((point) => (point[y] === null ? [] : [[point.nfe_per_token, point[y]] as const])),
    }));
  const x = { label: 'forwards a token', scale: 'linear', ticks: [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5] } as const;
  const most = Math.max(0.25, ...points.map((point) => point.exact_lines ?? 0.25));
  const quarter = Math.ceil(most * 20) / 20;
  return svgPlots(
    [
      {
        title: 'Agreement with block length 1',
        x,
        y: { label: 'share of the text from its start', scale: 'linear', ticks: [0, 0.25, 0.5, 0.75, 1] },
        series: series('agreement'),
      },
      {
        title: 'Held-out lines filled exactly',
        x,
        y: { label: 'share', scale: 'linear', ticks: [0, round(quarter / 2, 3), quarter] },
        series: series('exact_lines'),
      },
    ],
    'Quality by forwards a token for each decoding rule: agreement with block length 1, and held-out lines filled exactly.',
  );
}
