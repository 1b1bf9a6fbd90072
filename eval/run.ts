/** `npm run eval -- SUITE`: quality of a model through the engine that users run. */
import { type Command, runSuite, type Suite } from '../scripts/suites.ts';
import { EVAL_SETTINGS, type EvalSetting } from './settings.ts';

function suite(about: string, settings: readonly EvalSetting[], load: Suite['load']): Suite {
  return { about, settings: ['MODEL', 'EVAL_LIMIT', 'EVAL_TOKENS', ...settings], load };
}

const DECODING = ['EVAL_BLOCK', 'EVAL_THRESHOLD', 'EVAL_VERIFY'] as const;
const PROBLEMS = ['EVAL_ISOLATION', 'EVAL_SAMPLES', 'SEEDLING_EVAL'] as const;

const evaluation: Command = {
  name: 'eval',
  suites: {
    drafts: suite(
      'block decoding compared with block length 1, on the prompts of the benches',
      [],
      () => import('./drafts.ts'),
    ),
    heldout: suite(
      'accuracies and tokens a forward on held-out packages',
      ['SEEDLING_CACHE'],
      () => import('./heldout/heldout.ts'),
    ),
    complete: suite(
      'HumanEval in TypeScript, pass@1',
      [...DECODING, ...PROBLEMS, 'EVAL_BASELINE', 'SEEDLING_CACHE'],
      () => import('./complete.ts'),
    ),
    repair: suite(
      'HumanEvalFix in JavaScript, pass@1',
      [...DECODING, ...PROBLEMS, 'EVAL_BASELINE', 'SEEDLING_CACHE'],
      () => import('./repair/repair.ts'),
    ),
    clean: suite(
      'whether editing leaves right code alone and repairs one wrong token',
      ['SEEDLING_CACHE'],
      () => import('./clean/clean.ts'),
    ),
    infill: suite(
      'holes in held-out code and in Python functions',
      [...DECODING, ...PROBLEMS, 'SEEDLING_CACHE'],
      () => import('./infill.ts'),
    ),
  },
  settings: EVAL_SETTINGS,
};

await runSuite(evaluation, process.argv[2]);
