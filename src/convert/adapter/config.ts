/** Reads a PEFT adapter_config.json. What the merge does not follow is refused by name. */
import { z } from 'zod';
import { ConversionError } from '../checkpoint.ts';
import { readJsonFile } from '../json-file.ts';

const FILE = 'adapter_config.json';

/** Starts of a training that leave the base as it is. Others (PiSSA, OLoRA, CorDA ...) take a part out of it. */
const PLAIN_STARTS = [true, false, null, 'gaussian', 'eva', 'orthogonal'];

const numbers = z.record(z.string(), z.number().positive());

/** Read by the merge, or of no effect on it. A field that is not listed here has to be empty. */
const configSchema = z.looseObject({
  peft_type: z.literal('LORA', 'only LoRA adapters are merged'),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  use_rslora: z.boolean().default(false),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  rank_pattern: z.record(z.string(), z.int().positive()).nullish(),
  alpha_pattern: numbers.nullish(),
  bias: z.literal('none', 'the merge would have to change biases').default('none'),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
});

const WITHOUT_EFFECT = new Set([
  'auto_mapping',
  'base_model_name_or_path',
  'eva_config',
  'exclude_modules',
  'inference_mode',
  'layers_pattern',
  'layers_to_transform',
  'lora_dropout',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'revision',
  'task_type',
]);

export type AdapterConfig = z.infer<typeof configSchema>;

/** @throws ConversionError naming the field that is missing, malformed or not supported */
export async function readAdapterConfig(directory: string): Promise<AdapterConfig> {
  const config = await readJsonFile(directory, FILE, configSchema);
  if (config === undefined) throw new ConversionError(`--adapter ${directory} has no ${FILE}`);
  for (const [field, value] of Object.entries(config)) {
    if (field in configSchema.shape || WITHOUT_EFFECT.has(field) || isEmpty(value)) continue;
    throw new ConversionError(`${FILE}: ${field} is ${JSON.stringify(value)}, which the merge does not follow`);
  }
  const start = config.init_lora_weights ?? null;
  if (!PLAIN_STARTS.includes(start)) {
    throw new ConversionError(
      `${FILE}: init_lora_weights is "${start}", which changes the base: save the adapter as plain LoRA first`,
    );
  }
  return config;
}

function isEmpty(value: unknown): boolean {
  return !value || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** What the product of B and A is multiplied by, and its inner length. @param module its path in the base model */
export function scalingOf(config: AdapterConfig, module: string): { rank: number; scale: number } {
  const rank = patternValue(config.rank_pattern ?? {}, module, 'rank_pattern') ?? config.r;
  const alpha = patternValue(config.alpha_pattern ?? {}, module, 'alpha_pattern') ?? config.lora_alpha;
  return { rank, scale: alpha / (config.use_rslora ? Math.sqrt(rank) : rank) };
}

/** Of the first key, a regular expression, that the end of the path matches from a dot on. */
function patternValue(patterns: Readonly<Record<string, number>>, module: string, field: string): number | undefined {
  const found = Object.entries(patterns).find(([key]) => pattern(`^(.*\\.)?(${key})$`, field).test(module));
  return found?.[1];
}

/** Whether the adapter is of this module: a pattern for the whole path, or names of its end. */
export function isTarget({ target_modules: targets }: AdapterConfig, module: string): boolean {
  if (targets === 'all-linear') return true;
  if (typeof targets === 'string') return pattern(`^(?:${targets})$`, 'target_modules').test(module);
  return (targets ?? []).some((target) => module === target || module.endsWith(`.${target}`));
}

function pattern(source: string, field: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new ConversionError(`${FILE}: ${field} has a pattern that is not understood here: ${source}`, {
      cause: error,
    });
  }
}
