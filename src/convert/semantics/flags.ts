/** Flags of `npm run convert` that say what a checkpoint means, for files that do not say it or say it wrongly. */
import type { ModelConfig } from '../../model/config.ts';
import { ConversionError, type Semantics } from '../checkpoint.ts';

export const SEMANTICS_USAGE = `What the checkpoint does not record, or records wrongly:
--family NAME             a row of src/convert/semantics/architectures.ts, where config.json fits several
--mask-token-id N
--eos-token-id N          may be repeated
--start-token-id N        committed first when a prompt is empty
--block-length N
--sub-block-length N      parts in which a block is decided, left to right; 0 for none
--logit-shift, --no-logit-shift
--context-attention WHAT  causal, block_causal or full
--grid WHERE              blocks begin at position zero, or at the prompt_end
--first-token HOW         of a block: denoise, or from_commit of the block before
--stop-rule WHEN          an EOS ends the text: no_mask_before, after_block or none
--infill-order WHAT       around a hole: prefix_first, or suffix_first
How requests decode that do not say:
--threshold P             what is more probable than P; with --inclusive also what is just as probable
--schedule NAME           linear, cosine, round or floor over --steps N a block (default: one position a step),
                          ranked by --ranking probability (default) or entropy`;

export const SEMANTICS_OPTIONS = {
  'mask-token-id': { type: 'string' },
  'eos-token-id': { type: 'string', multiple: true },
  'start-token-id': { type: 'string' },
  'block-length': { type: 'string' },
  'sub-block-length': { type: 'string' },
  'logit-shift': { type: 'boolean' },
  'context-attention': { type: 'string' },
  grid: { type: 'string' },
  'first-token': { type: 'string' },
  'stop-rule': { type: 'string' },
  'infill-order': { type: 'string' },
  threshold: { type: 'string' },
  inclusive: { type: 'boolean' },
  schedule: { type: 'string' },
  steps: { type: 'string' },
  ranking: { type: 'string' },
} as const;

type Values = {
  readonly [Flag in keyof typeof SEMANTICS_OPTIONS]?:
    | ((typeof SEMANTICS_OPTIONS)[Flag] extends { multiple: true }
        ? string[]
        : (typeof SEMANTICS_OPTIONS)[Flag] extends { type: 'boolean' }
          ? boolean
          : string)
    | undefined;
};

/** @throws ConversionError naming the flag that is wrong */
export function semanticsFromFlags(values: Values): Semantics {
  const subBlockLength = integer('--sub-block-length', values['sub-block-length']);
  return {
    maskTokenId: integer('--mask-token-id', values['mask-token-id']),
    eosTokenIds: values['eos-token-id']?.map((id) => integer('--eos-token-id', id)!),
    startTokenId: integer('--start-token-id', values['start-token-id']),
    blockLength: integer('--block-length', values['block-length']),
    subBlockLength: subBlockLength === 0 ? null : subBlockLength,
    logitShift: values['logit-shift'],
    contextAttention: choice('--context-attention', values['context-attention'], ['causal', 'block_causal', 'full']),
    grid: choice('--grid', values.grid, ['zero', 'prompt_end']),
    firstToken: choice('--first-token', values['first-token'], ['denoise', 'from_commit']),
    stopRule: choice('--stop-rule', values['stop-rule'], ['no_mask_before', 'after_block', 'none']),
    infillOrder: choice('--infill-order', values['infill-order'], ['prefix_first', 'suffix_first']),
    decoding: decoding(values),
  };
}

function decoding({
  threshold,
  inclusive = false,
  schedule,
  steps,
  ranking,
}: Values): ModelConfig['decoding'] | undefined {
  if (threshold !== undefined && schedule !== undefined) {
    throw new ConversionError('--threshold and --schedule: only one of them');
  }
  if (threshold !== undefined) {
    const value = Number(threshold);
    if (!(value >= 0 && value <= 1)) throw new ConversionError(`--threshold ${threshold}: must be from 0 to 1`);
    return { policy: 'confidence', threshold: value, inclusive };
  }
  if (schedule === undefined) {
    const stray = Object.entries({ inclusive: inclusive || undefined, steps, ranking }).find(([, value]) => value);
    if (stray)
      throw new ConversionError(`--${stray[0]}: only with --${stray[0] === 'inclusive' ? 'threshold' : 'schedule'}`);
    return undefined;
  }
  return {
    policy: 'fixed',
    schedule: oneOf('--schedule', schedule, ['linear', 'cosine', 'round', 'floor']),
    ranking: choice('--ranking', ranking, ['probability', 'entropy']) ?? 'probability',
    steps: integer('--steps', steps) ?? null,
  };
}

function choice<T extends string>(flag: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  return value === undefined ? undefined : oneOf(flag, value, allowed);
}

/** @throws ConversionError naming the flag */
export function oneOf<T extends string>(flag: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new ConversionError(`${flag} ${value}: must be one of ${allowed.join(', ')}`);
  return found;
}

function integer(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) throw new ConversionError(`${flag} ${value}: must be a whole number, 0 or more`);
  return Number(value);
}
