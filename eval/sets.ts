/** The evaluation sets: JSON lines outside the repository, checked as they are read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { InputError } from '../scripts/suites.ts';
import type { EvalSettings } from './settings.ts';

/** One file of problems. */
interface ProblemSet<T> {
  readonly file: string;
  /** Where to get it, for the error when it is missing. */
  readonly source: string;
  readonly schema: z.ZodType<T>;
}

const text = z.string();

/** Complete a TypeScript function: HumanEval (Chen et al. 2021) as translated in MBXP (Athiwaratkun et al. 2022). */
export const COMPLETE = {
  file: 'humaneval-typescript.jsonl',
  source: 'amazon-science/mxeval',
  schema: z.object({ task_id: text, prompt: text, test: text }),
};

/** Repair a JavaScript function: HumanEvalFix (Muennighoff et al. 2023, OctoPack). */
export const REPAIR = {
  file: 'humanevalfix-javascript.jsonl',
  source: 'bigcode-project/octopack',
  schema: z.object({
    task_id: text,
    declaration: text,
    buggy_solution: text,
    canonical_solution: text,
    test: text,
    entry_point: text,
  }),
};

/** Fill a random span of a Python function: Bavarian et al. 2022. */
export const INFILL = {
  file: 'humaneval-infilling-random-span-light.jsonl.gz',
  source: 'openai/human-eval-infilling',
  schema: z.object({
    task_id: text,
    prompt: text,
    suffix: text,
    canonical_solution: text,
    test: text,
    entry_point: text,
  }),
};

export type CompleteProblem = z.infer<typeof COMPLETE.schema>;
export type RepairProblem = z.infer<typeof REPAIR.schema>;

/**
 * The first problems of a set, up to the limit.
 * @throws InputError when the file is missing, saying how to name its folder; ZodError when it is not the set
 */
export async function readProblems<T>(set: ProblemSet<T>, { sets, limit }: EvalSettings): Promise<T[]> {
  const path = join(sets, set.file);
  const bytes = await readFile(path).catch((error) => {
    throw new InputError(
      `${path} cannot be read (${error.code}). Put ${set.file} (from ${set.source} on GitHub) into a folder and run ` +
        'SEEDLING_EVAL=FOLDER npm run eval -- SUITE',
    );
  });
  const lines = (set.file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
  const problems = lines.filter((line) => line !== '').map((line) => z.array(set.schema).parse([JSON.parse(line)])[0]!);
  return problems.slice(0, limit);
}
