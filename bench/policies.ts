/**
 * Decoding rules against each other: how much of the text is that of block length 1, and how many held-out lines are filled
 * exactly, by forwards a token and by milliseconds a token. Draws docs/policies.svg.
 */
import { writeFile } from 'node:fs/promises';
import { decodeIds } from '../eval/decode-ids.ts';
import { evenStarts, readHeldoutPackages, shareOf } from '../eval/heldout-tokens.ts';
import { type Hole, lineHole } from '../eval/holes.ts';
import { sharedPrefix } from '../eval/score.ts';
import { readEvalSettings } from '../eval/settings.ts';
import { completionRequestSchema } from '../src/api/completions/schema.ts';
import { resolveRequest } from '../src/api/generate/resolve.ts';
import type { Engine } from '../src/engine/engine.ts';
import { readSettings } from '../src/hosts/settings.ts';
import { openEngine, openTokenizer } from '../test/support/engines/engine.ts';
import { round } from './median.ts';
import { PROMPTS } from './prompts.ts';
import { type Series, svgPlots } from './svg-plot.ts';

const BLOCK = 8;
const MAX_TOKENS = 32;
const HOLES = Number(process.env.BENCH_HOLES ?? 24);
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

/** Curves that a plot has colours for; the others are dashed. */
const COLOURS = 6;

/** Drafts with a check: the text is that of block length 1 by construction, only the cost differs. */
const VERIFIED = { name: 'verify', decoding: [0.9, 0.6, 0.3].map((threshold) => ({ verify: true, threshold })) };

interface Point {
  readonly rule: string;
  readonly decoding: object;
  /** Share of the text, from its start, that block length 1 writes too. */
  readonly agreement: number;
  /** Share of held-out lines that are filled exactly. */
  readonly exact_lines: number;
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
  const holes = await lineHoles(settings.model);
  const reference: string[] = [];
  const single = new Runner(engine);
  for (const prompt of PROMPTS) reference.push(await single.complete(prompt, null, MAX_TOKENS, { block_length: 1 }));
  const points: Point[] = [];
  for (const { name, decoding } of [...RULES, VERIFIED]) {
    for (const one of decoding) points.push(await measure(engine, name, one, reference, holes));
  }
  await writeFile('docs/policies.svg', draw(points));
  return { suite: 'policies', block_length: BLOCK, prompts: PROMPTS.length, holes: holes.length, points };
}

async function measure(
  engine: Engine,
  rule: string,
  decoding: object,
  reference: readonly string[],
  holes: readonly Hole[],
): Promise<Point> {
  const runner = new Runner(engine);
  const asked = { verify: false, block_length: BLOCK, ...decoding };
  let agreement = 0;
  for (const [i, prompt] of PROMPTS.entries()) {
    agreement += sharedPrefix(reference[i] ?? '', await runner.complete(prompt, null, MAX_TOKENS, asked));
  }
  const { nfe, ms, tokens } = runner;
  let exact = 0;
  for (const { prefix, middle, suffix } of holes) {
    exact += Number((await runner.complete(prefix, suffix, MAX_TOKENS, asked)) === middle);
  }
  const point = {
    rule,
    decoding,
    agreement: round(agreement / PROMPTS.length),
    exact_lines: round(exact / holes.length),
    nfe_per_token: round(nfe / tokens),
    ms_per_token: round(ms / tokens, 1),
  };
  console.log(JSON.stringify(point));
  return point;
}

async function lineHoles(model: string): Promise<Hole[]> {
  const packages = await readHeldoutPackages(readEvalSettings(process.env));
  const tokenizer = await openTokenizer(model);
  const windows = packages.flatMap(({ tokens }, index) =>
    evenStarts(tokens.length, WINDOW_TOKENS, shareOf(HOLES, index, packages.length)).map((start) =>
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
      points: points.filter(({ rule }) => rule === name).map((point) => [point.nfe_per_token, point[y]]),
    }));
  const x = { label: 'forwards a token', scale: 'linear', ticks: [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5] } as const;
  const most = Math.max(0.25, ...points.map((point) => point.exact_lines));
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
