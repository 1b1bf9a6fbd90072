/** Environment of the evaluation suites. `MODEL`, `ACTIVATIONS` and the memory limits are the host's own settings. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError } from '../scripts/suites.ts';

/** Environment variable -> meaning and default. `npm run eval -- --help` prints the table. */
export const EVAL_SETTINGS = {
  MODEL: 'a folder of models/ (seedling-135m)',
  EVAL_LIMIT: 'problems, texts or holes at most, for a quick look (all)',
  EVAL_TOKENS: 'most new tokens of an answer (each suite has its own number)',
  EVAL_BLOCK: 'block length of our model (as the server)',
  EVAL_THRESHOLD: 'threshold of our model, 0 to 1 (as the server)',
  EVAL_VERIFY: '0 or 1: whether our model verifies its drafts (as the server)',
  EVAL_BASELINE: 'int4 or int8: bits of the unmodified base model; 0 leaves it out (int4)',
  EVAL_ISOLATION: 'process: run generated code although the host cannot cut it off from the network (namespaces)',
  EVAL_SAMPLES: 'a file for every answer with its result, JSON lines (none)',
  SEEDLING_EVAL: 'the folder of evaluation sets (shared/eval beside the repository)',
  SEEDLING_CACHE: 'the folder of held-out tokens and of the base model (~/.cache/seedling)',
} as const;
export type EvalSetting = keyof typeof EVAL_SETTINGS;

const variablesSchema = z.object({
  MODEL: z.string().default('seedling-135m'),
  EVAL_LIMIT: z.coerce.number().int().positive().optional(),
  EVAL_TOKENS: z.coerce.number().int().positive().optional(),
  EVAL_BLOCK: z.coerce.number().int().positive().optional(),
  EVAL_THRESHOLD: z.coerce.number().min(0).max(1).optional(),
  EVAL_VERIFY: z.enum(['0', '1']).optional(),
  EVAL_BASELINE: z.enum(['0', 'int4', 'int8']).default('int4'),
  EVAL_ISOLATION: z.enum(['namespaces', 'process']).default('namespaces'),
  EVAL_SAMPLES: z.string().optional(),
  SEEDLING_EVAL: z.string().default(fileURLToPath(new URL('../../shared/eval', import.meta.url))),
  SEEDLING_CACHE: z.string().default(join(homedir(), '.cache', 'seedling')),
} satisfies Record<EvalSetting, z.ZodType>);

/** Null is the server's default. */
export interface EvalDecoding {
  readonly blockLength: number | null;
  readonly threshold: number | null;
  readonly verify: boolean | null;
}

/** The autoregressive mode. It drafts nothing, so nothing has to be verified. */
export const AUTOREGRESSIVE: EvalDecoding = { blockLength: 1, threshold: null, verify: false };

export interface EvalSettings {
  readonly model: string;
  readonly limit: number | undefined;
  readonly tokens: number | undefined;
  /** Of our model. */
  readonly decoding: EvalDecoding;
  readonly baseline: '0' | 'int4' | 'int8';
  readonly isolation: 'namespaces' | 'process';
  readonly samples: string | undefined;
  /** Folder of the evaluation sets. */
  readonly sets: string;
  /** Folder of the recipe's cache: tokens, exports, converted baselines. */
  readonly cache: string;
}

/** @throws InputError naming the variable that is wrong. An empty string counts as not set. */
export function readEvalSettings(environment: Readonly<Record<string, string | undefined>>): EvalSettings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = variablesSchema.safeParse(given);
  if (!parsed.success) throw new InputError(`Environment of the evaluation:\n${z.prettifyError(parsed.error)}`);
  const { data } = parsed;
  return {
    model: data.MODEL,
    limit: data.EVAL_LIMIT,
    tokens: data.EVAL_TOKENS,
    decoding: {
      blockLength: data.EVAL_BLOCK ?? null,
      threshold: data.EVAL_THRESHOLD ?? null,
      verify: data.EVAL_VERIFY === undefined ? null : data.EVAL_VERIFY === '1',
    },
    baseline: data.EVAL_BASELINE,
    isolation: data.EVAL_ISOLATION,
    samples: data.EVAL_SAMPLES,
    sets: data.SEEDLING_EVAL,
    cache: data.SEEDLING_CACHE,
  };
}
