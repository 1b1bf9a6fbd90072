/** The smallest form of every command that the documents name. Several spellings share one run. */

export interface Workplace {
  /** The root of the repository. */
  readonly root: string;
  /** A folder that is deleted after the runs. */
  readonly scratch: string;
}

export interface Run {
  /** Matches the command without the variables before it. */
  readonly pattern: RegExp;
  /** Shell, from the root or from `cwd`. `$SCRATCH` is the folder of the runs. */
  readonly command: string;
  readonly cwd?: 'models/recipe';
  readonly env?: Readonly<Record<string, string>>;
  /** It serves until it is stopped; `/health` on this port has to answer. */
  readonly port?: number;
  /** The exit status of a run that ends; 0 unless given. */
  readonly status?: number;
  /** The last line of stdout is a JSON object with processor and commit. */
  readonly suite?: true;
  /** Commands of runs that leave files for this one. They run too, before it. */
  readonly needs?: readonly string[];
}

const RECIPE = { cwd: 'models/recipe' } as const;
const ADAPTER = '$SCRATCH/cache/runs/smallest/adapter.safetensors';
const EXPORT = '$SCRATCH/cache/export';

function recipe(
  name: string,
  args: string,
  needs: readonly string[] = [],
  pattern = `^python3? -m recipe ${name}\\b`,
): Run {
  return { ...RECIPE, pattern: new RegExp(pattern), command: `python -m recipe ${name} ${args}`.trimEnd(), needs };
}

const CORPUS = 'python -m recipe corpus --packages $SCRATCH/packages.json --no-decontamination';
const TRAIN = `train --run smallest --tokens 128 --batch 1 --length 64 --draws 1 --warmup 1 --eval-sequences 1`;
const train = recipe('train', TRAIN.slice(6), [CORPUS]);
const EXPORTED = `python -m recipe export --adapter ${ADAPTER} --out ${EXPORT}/seedling-135m`;
const PARENT = `python -m recipe export --adapter ${ADAPTER} --out ${EXPORT}/parent`;
const TRAJECTORIES =
  'npm run -s trajectories -- $SCRATCH/trajectories.jsonl --count 4 --pool 2 --prompt-tokens 32 --max-tokens 40 --temperature 0.3';
const TEXTS = `python -m recipe continuations $SCRATCH/texts.jsonl --adapter ${ADAPTER} --count 2 --batch 2 --prompt-tokens 16 --max-tokens 48`;
const CONVERTED = `npm run -s convert -- ${EXPORT}/seedling-135m toy --out $SCRATCH/models`;
const STAGED = `python -m recipe pack stage $SCRATCH/stage --init ${ADAPTER}`;
const RESULTS = 'python -m recipe pack results $SCRATCH/cache/runs/smallest $SCRATCH/back';

/** Before the pattern of the plain command comes the one of a variant. Order is that of the runs. */
const RECIPE_RUNS: readonly Run[] = [
  { ...RECIPE, pattern: /^python3? -m recipe( --help)?$/, command: 'python -m recipe --help' },
  {
    ...RECIPE,
    pattern: /^python3? -m recipe( COMMAND)?( (COMMAND )?--help)$/,
    command: 'python -m recipe train --help',
  },
  recipe('corpus', '--split heldout', [], '^python3? -m recipe corpus .*--split heldout'),
  recipe('corpus', '--packages $SCRATCH/packages.json --no-decontamination'),
  { ...train, pattern: /^python3? -m recipe train(?!.*--(init|orders|own|qat))/ },
  { ...recipe('export', `--adapter ${ADAPTER} --out ${EXPORT}/seedling-135m`, [train.command]) },
  { ...recipe('export', `--adapter ${ADAPTER} --out ${EXPORT}/parent`, [train.command], '^never$') },
  recipe(
    'evaluate',
    '--adapter none --sequences 1 --repair-sequences 1 --holes 1',
    [CORPUS],
    '^python3? -m recipe evaluate( --adapter none)?$',
  ),
  recipe(
    'evaluate',
    `--model ${EXPORT}/seedling-135m --parent ${EXPORT}/parent --sequences 1 --repair-sequences 0 --holes 0 --bfloat16`,
    [EXPORTED, PARENT],
    '^python3? -m recipe evaluate .*--model',
  ),
  recipe('evaluate', `--adapter ${ADAPTER} --sequences 0 --repair-sequences 0 --holes 0 --few-steps 1 --blocks 8`, [
    train.command,
  ]),
  recipe('plot', 'smallest --out $SCRATCH/curves.png', [train.command]),
  recipe('soup', `${ADAPTER} ${ADAPTER} --out $SCRATCH/soup.safetensors`, [train.command]),
  recipe('gptq', `--model ${EXPORT}/seedling-135m --texts 1`, [EXPORTED]),
  recipe('distil-int4', `--model ${EXPORT}/seedling-135m --parent ${EXPORT}/parent --steps 1 --batch 1`, [
    EXPORTED,
    PARENT,
  ]),
  recipe('continuations', TEXTS.split('continuations ')[1]!, [train.command]),
  recipe(
    'pools',
    `$SCRATCH/pools.jsonl --adapter ${ADAPTER} --count 1 --batch 2 --pool 2 --prompt-tokens 16 --max-tokens 16`,
    [train.command],
  ),
  recipe('own', '$SCRATCH/texts.jsonl --length 64', [TEXTS]),
  { pattern: /^npm run trajectories\b/, command: TRAJECTORIES, needs: [CORPUS] },
  recipe('orders', '$SCRATCH/trajectories.jsonl --length 64 --most-steps 2', [TRAJECTORIES]),
  {
    ...recipe('train', `${TRAIN.slice(6)} --init ${ADAPTER} --qat --edit-rate 0.5`.replace('smallest', 'more'), [
      train.command,
    ]),
    pattern: /^python3? -m recipe train\b/,
  },
  recipe('agreement', `--adapter ${ADAPTER} --texts 1 --blocks 4`, [train.command]),
  recipe(
    'onpolicy',
    `--init ${ADAPTER} --run policy --updates 1 --prompts 1 --group 2 --length 8 --calibration 0 --pool 1`,
    [train.command],
  ),
  recipe('fixture', '--out $SCRATCH/fixtures'),
  recipe('families', '--out $SCRATCH/families'),
  recipe('pack', 'stage $SCRATCH/stage --init '.concat(ADAPTER), [train.command], '^python3? -m recipe pack stage\\b'),
  recipe(
    'pack',
    'results $SCRATCH/cache/runs/smallest $SCRATCH/back',
    [train.command],
    '^python3? -m recipe pack results\\b',
  ),
  recipe('pack', 'unpack $SCRATCH/back $SCRATCH/target', [RESULTS], '^python3? -m recipe pack unpack\\b'),
  {
    ...RECIPE,
    pattern: /^python3? \S*unpack\.py\b/,
    command: 'python $SCRATCH/stage/unpack.py $SCRATCH/stage $SCRATCH/there',
    needs: [STAGED],
  },
];

function bench(name: string, env: Readonly<Record<string, string>> = {}, needs: readonly string[] = []): Run {
  return {
    pattern: new RegExp(`^npm run (-s )?bench -- ${name}\\b`),
    command: `node bench/run.ts ${name}`,
    env: { BENCH_ROUNDS: '1', BENCH_PROMPTS: '1', BENCH_TOKENS: '4', BENCH_DRAWINGS: '$SCRATCH', ...env },
    suite: true,
    needs: ['npm run -s build', ...needs],
  };
}

function evaluation(name: string): Run {
  return {
    pattern: new RegExp(`^npm run (-s )?eval -- ${name}\\b`),
    command: `node eval/run.ts ${name}`,
    env: { EVAL_LIMIT: '1', EVAL_TOKENS: '8', EVAL_BASELINE: '0', SEEDLING_EVAL: '$SCRATCH/sets' },
    suite: true,
    needs: [CORPUS],
  };
}

const list = (name: string): Run => ({
  pattern: new RegExp(`^npm run (-s )?${name}( -- (SUITE|--help))?$`),
  command: `npm run -s ${name} -- --help`,
});

const NODE_RUNS: readonly Run[] = [
  { pattern: /^npm run build$/, command: 'npm run -s build' },
  list('bench'),
  {
    pattern: /^npm run (-s )?bench -- all\b/,
    command: 'npm run -s bench -- all profile --out $SCRATCH/measurements.json',
    env: { BENCH_ROUNDS: '1' },
    suite: true,
  },
  {
    pattern: /^npm run measurements\b|^node scripts\/measurements\/main\.ts/,
    command:
      'cp docs/measurements.md $SCRATCH && npm run -s measurements -- $SCRATCH/measurements.json $SCRATCH/measurements.md',
    needs: ['npm run -s bench -- all profile --out $SCRATCH/measurements.json'],
  },
  bench('kernels'),
  bench('decode', { BENCH_PEERS: 'none', BENCH_TOKENS: '20' }),
  bench('serve'),
  bench('roofline'),
  bench('profile'),
  bench('threads'),
  bench('runtimes', { BENCH_RUNTIMES: 'wasm,onnx-wasm', BENCH_BLOCKS: '1' }),
  bench('policies', { BENCH_HOLES: '4' }, [CORPUS]),
  bench('approximate-cache'),
  bench('large', { BENCH_REHEARSAL: '1' }),
  bench('abuse', { BENCH_REQUESTS: '200' }),
  list('eval'),
  ...['drafts', 'heldout', 'complete', 'repair', 'clean', 'infill'].map(evaluation),
  { pattern: /^npm run convert$/, command: 'npm run -s convert', status: 1 },
  {
    pattern: /^npm run convert -- (?!hf:)/,
    command: CONVERTED,
    needs: [EXPORTED],
  },
  recipe('golden', 'toy --models $SCRATCH/models --out $SCRATCH/golden', [CORPUS, CONVERTED]),
  { pattern: /^npm run key -- /, command: 'npm run -s key -- alice' },
  { pattern: /^npm run screenshot$/, command: 'npm run -s screenshot -- $SCRATCH/playground.png' },
  { pattern: /^npm run deploy$/, command: 'npm run -s deploy -- --dry-run --outdir $SCRATCH/worker' },
  { pattern: /^npm run upload -- /, command: 'npm run -s upload -- seedling-135m seedling --local' },
  { pattern: /^npx lefthook install$/, command: 'npx --no-install lefthook validate' },
  { pattern: /^npx wrangler dev\b|^npm run dev$/, command: 'npm run -s dev -- --port 18787', port: 18787 },
  {
    pattern: /^npm start$|^node (--\S+ )*src\/hosts\/node\/main\.ts/,
    command: 'npm start',
    env: { PORT: '18788' },
    port: 18788,
  },
];

export const RUNS: readonly Run[] = [...RECIPE_RUNS, ...NODE_RUNS];

/** @throws Error where no run has the command */
export function runOf(command: string): Run {
  const run = RUNS.find((one) => one.command === command);
  if (!run) throw new Error(`no run of ${command}`);
  return run;
}

/** Commands that are steps of `.ci/run`: pattern -> text that the script has to hold. */
export const STEPS: readonly (readonly [RegExp, string])[] = [
  [/^npm (install|ci)( --\S+)*$/, 'npm ci'],
  [/^npm (run )?test$/, 'npm test'],
  [/^npm run test:slow$/, 'npm run test:slow'],
  [/^npm run check$/, 'npm run check'],
  [/^python3? -m pip install -e /, "-m pip install -qq -e 'models/recipe[dev]'"],
  [/^python3? -m pytest$/, '-m pytest'],
  [/^python3? -m ruff check \.$/, '-m ruff check .'],
  [/^python3? -m mypy$/, '-m mypy'],
];

/** `npm test` runs the tests; the documents' paths have to match test files. */
export const TESTS = /^npx vitest run( |$)/;
