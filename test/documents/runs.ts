/** The smallest form of every command that the documents name. Several spellings share one run. */

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

/** `python -m recipe quick --smallest` leaves its corpus, its base and its adapter here. */
const QUICK = '$SCRATCH/cache/quick/smallest';
const BASE = `${QUICK}/tiny-base`;
const ADAPTER = `${QUICK}/runs/quick/adapter.safetensors`;
const QUICK_COMMAND = 'python -m recipe quick --smallest';
const HELDOUT = 'python -m recipe corpus --split heldout';

/** A command of the recipe on the files of `quick`. `named` is the command in the documents, where it is not the name alone. */
function recipe(
  name: string,
  args: string,
  { named = name, needs = [] }: { named?: string; needs?: string[] } = {},
): Run {
  return {
    pattern: new RegExp(`^python3? -m recipe ${named}(?![\\w-])`),
    command: `python -m recipe ${name} ${args}`,
    cwd: 'models/recipe',
    env: { SEEDLING_CACHE: QUICK },
    needs: [QUICK_COMMAND, ...needs],
  };
}

const own = recipe('own', '$SCRATCH/trajectories.jsonl --length 64', {
  needs: [
    'npm run -s trajectories -- $SCRATCH/trajectories.jsonl --count 4 --pool 2 --prompt-tokens 32 --max-tokens 40 --temperature 0.3',
  ],
});
const trajectories: Run = {
  pattern: /^npm run (-s )?trajectories\b/,
  command: own.needs!.at(-1)!,
  env: { SEEDLING_CACHE: QUICK },
  needs: [QUICK_COMMAND],
};
const more = (run: string, flags: string) =>
  `--run ${run} --init-model ${BASE} --init ${ADAPTER} --tokens 256 --batch 1 --length 64 --warmup 1 --eval-sequences 1 ${flags}`;
const stage = recipe('pack', `stage $SCRATCH/stage --init ${ADAPTER} --model ${BASE}`, { named: 'pack stage' });
const results = recipe('pack', `results ${QUICK}/runs/quick $SCRATCH/back`, { named: 'pack results' });

/** A variant comes before the plain command, whose pattern matches it too. */
const RECIPE_RUNS: readonly Run[] = [
  {
    pattern: /^python3? -m recipe( (COMMAND|SUITE|NAME))?( --help)?$/,
    command: 'python -m recipe --help',
    cwd: 'models/recipe',
  },
  { ...recipe('corpus', '--split heldout', { named: 'corpus --split heldout' }), env: {}, needs: [] },
  // It runs corpus, train, evaluate, export, gptq, distil-int4, npm run convert and the Node host.
  {
    pattern:
      /^python3? -m recipe (quick|corpus|train(?!.*--(init |qat|orders|own|from))|export|gptq|distil-int4|evaluate(?!.*--(few-steps|holes)))(?![\w-])/,
    command: QUICK_COMMAND,
    cwd: 'models/recipe',
  },
  trajectories,
  recipe('train', more('qat', '--qat --edit-rate 0.5'), { named: 'train .*--qat' }),
  recipe('train', more('orders', `--orders ${QUICK}/tokens/orders.npz --orders-share 0.5`), {
    named: 'train .*--orders',
    needs: ['python -m recipe orders $SCRATCH/trajectories.jsonl --length 64 --most-steps 2'],
  }),
  recipe('train', '--from quick --run again', { named: 'train .*--from' }),
  recipe('train', more('more', '--edit-rate 0.5')),
  recipe(
    'evaluate',
    `--model ${BASE} --adapter ${ADAPTER} --sequences 1 --repair-sequences 1 --holes 1 --few-steps 1 --blocks 8`,
  ),
  recipe('drafts', `--model ${QUICK}/models/quick --tokens 256 --batch 1 --length 64 --windows 4 --warmup 1`),
  recipe('gpu-half-hour', `--model ${QUICK}/models/quick --dry-run`),
  recipe('draft-agreement', `--model ${QUICK}/models/quick --texts 1 --phases 2 --sequences 1`),
  { ...recipe('parity', '../../test/fixtures/tiny-llama'), needs: ['npm run -s build'] },
  {
    pattern: /^npm run (-s )?check-model\b/,
    command: `npm run -s check-model -- quick --models ${QUICK}/models`,
    needs: [QUICK_COMMAND],
  },
  recipe('soup', `${ADAPTER} ${ADAPTER} --out $SCRATCH/soup.safetensors`),
  recipe('plot', 'quick --out $SCRATCH/curves.png'),
  recipe('agreement', `--model ${BASE} --adapter ${ADAPTER} --texts 1 --blocks 4`),
  recipe(
    'continuations',
    `$SCRATCH/texts.jsonl --model ${QUICK}/models/quick --count 2 --batch 2 --prompt-tokens 16 --max-tokens 48`,
  ),
  recipe(
    'pools',
    `$SCRATCH/pools.jsonl --model ${BASE} --adapter ${ADAPTER} --count 1 --batch 2 --pool 2 --prompt-tokens 16 --max-tokens 16`,
  ),
  own,
  recipe('orders', '$SCRATCH/trajectories.jsonl --length 64 --most-steps 2', { needs: [trajectories.command] }),
  recipe(
    'onpolicy',
    `--init-model ${BASE} --init ${ADAPTER} --run policy --updates 1 --prompts 1 --group 2 --length 8 --calibration 0 --pool 1`,
  ),
  recipe('golden', `quick --models ${QUICK}/models --out $SCRATCH/golden`),
  { ...recipe('fixture', '--out $SCRATCH/fixtures'), needs: [] },
  { ...recipe('families', '--out $SCRATCH/families'), needs: [] },
  { ...recipe('block-length-1', '--out $SCRATCH/block-length-1.json'), needs: [] },
  stage,
  results,
  recipe('pack', 'unpack $SCRATCH/back $SCRATCH/target', { named: 'pack unpack', needs: [results.command] }),
  {
    pattern: /^python3? \S*unpack\.py\b/,
    command: 'python $SCRATCH/stage/unpack.py $SCRATCH/stage $SCRATCH/there',
    cwd: 'models/recipe',
    needs: [stage.command],
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
    needs: [HELDOUT],
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
  bench('kernels', { BENCH_PEERS: 'none' }),
  bench('decode', { BENCH_PEERS: 'none', BENCH_TOKENS: '20' }),
  bench('drafts'),
  bench('serve'),
  bench('fairness', { BENCH_REQUESTS: '4' }),
  bench('roofline'),
  bench('profile'),
  bench('threads'),
  bench('runtimes', { BENCH_RUNTIMES: 'wasm,onnx-wasm', BENCH_BLOCKS: '1' }),
  bench('policies', { BENCH_HOLES: '4' }, [HELDOUT]),
  bench('approximate-cache'),
  bench('large', { BENCH_REHEARSAL: '1' }),
  bench('abuse', { BENCH_REQUESTS: '200' }),
  list('eval'),
  ...['drafts', 'heldout', 'complete', 'repair', 'clean', 'infill'].map(evaluation),
  { pattern: /^npm run convert$/, command: 'npm run -s convert', status: 1 },
  {
    pattern: /^npm run convert -- (?!hf:)/,
    command: `npm run -s convert -- ${QUICK}/export toy --out $SCRATCH/models`,
    needs: [QUICK_COMMAND],
  },
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
  [/^npm (install|ci)$/, 'npm ci'],
  [/^npm (run )?test$/, 'npm test'],
  [/^npm run test:slow$/, 'npm run test:slow'],
  [/^npm run install:clients$/, 'npm run install:clients'],
  [/^npm run test:clients$/, 'npm run test:clients'],
  [/^npm run check$/, 'npm run check'],
  [/^python3? -m pip install -e /, "-m pip install -qq -e 'models/recipe[dev]'"],
  [/^python3? -m pytest$/, '-m pytest'],
  [/^(python3? -m )?ruff check \.$/, '-m ruff check .'],
  [/^python3? -m mypy$/, '-m mypy'],
];

/** `npm test` runs the tests; the documents' paths have to match test files. */
export const TESTS = /^npx vitest run( |$)/;
