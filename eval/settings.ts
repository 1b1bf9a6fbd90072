/** Environment of the evaluation suites; `MODEL`, `ACTIVATIONS` and the memory limits are the host's own settings. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const variablesSchema = z.object({
  MODEL: z.string().default('seedling-135m'),
  /** Problems at most, for a quick look. */
  EVAL_LIMIT: z.coerce.number().int().positive().optional(),
  /** How our model decodes; as the server does by default unless given. */
  EVAL_BLOCK: z.coerce.number().int().positive().optional(),
  EVAL_THRESHOLD: z.coerce.number().min(0).max(1).optional(),
  EVAL_VERIFY: z.enum(['0', '1']).optional(),
  /** Bits of the unmodified base model's weights, or 0 to leave it out. */
  BASELINE: z.enum(['0', 'int4', 'int8']).default('int4'),
  /** `process`: run generated code on a host that cannot cut it off from the network. */
  EVAL_ISOLATION: z.enum(['namespaces', 'process']).default('namespaces'),
  /** A file for every answer with its result, JSON lines. */
  EVAL_SAMPLES: z.string().optional(),
  SEEDLING_EVAL: z.string().default(fileURLToPath(new URL('../../shared/eval', import.meta.url))),
  SEEDLING_CACHE: z.string().default(join(homedir(), '.cache', 'seedling')),
});

/** Null: what a request gets that does not choose. */
export interface EvalDecoding {
  readonly blockLength: number | null;
  readonly threshold: number | null;
  readonly verify: boolean | null;
}

/** The autoregressive mode: nothing is drafted, so nothing has to be checked. */
export const AUTOREGRESSIVE: EvalDecoding = { blockLength: 1, threshold: null, verify: false };

export interface EvalSettings {
  readonly model: string;
  readonly limit: number | undefined;
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

/** @throws Error naming the variable that is wrong. An empty string counts as not set. */
export function readEvalSettings(environment: Readonly<Record<string, string | undefined>>): EvalSettings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = variablesSchema.safeParse(given);
  if (!parsed.success) throw new Error(`Environment of the evaluation:\n${z.prettifyError(parsed.error)}`);
  const { data } = parsed;
  return {
    model: data.MODEL,
    limit: data.EVAL_LIMIT,
    decoding: {
      blockLength: data.EVAL_BLOCK ?? null,
      threshold: data.EVAL_THRESHOLD ?? null,
      verify: data.EVAL_VERIFY === undefined ? null : data.EVAL_VERIFY === '1',
    },
    baseline: data.BASELINE,
    isolation: data.EVAL_ISOLATION,
    samples: data.EVAL_SAMPLES,
    sets: data.SEEDLING_EVAL,
    cache: data.SEEDLING_CACHE,
  };
}
