/** The engine as the Node host assembles it, for benches and evaluations. */
import { join } from 'node:path';
import { completionRequestSchema } from '../../../src/api/completions/schema.ts';
import { resolveRequest } from '../../../src/api/generate/resolve.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import type { Cost, GenerateRequest } from '../../../src/engine/request.ts';
import { loadTokenizer, type Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { assembleEngine } from '../../../src/hosts/assemble.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import type { ModelConfig } from '../../../src/model/config.ts';
import type { DiffusionModel } from '../../../src/model/model.ts';
import { readModelConfig } from '../../../src/model/weight-source.ts';
import type { ProgressListener } from '../../../src/model/weights.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { kernelModules } from './kernels.ts';

/**
 * @param model a directory of `models`
 * @param assumed what its config.json does not say, for models that were converted before it could
 */
export async function openEngine(
  model: string,
  models = 'models',
  assumed: Partial<ModelConfig> = {},
  onProgress?: ProgressListener,
): Promise<Engine> {
  const settings = readSettings(process.env);
  const files = directorySource(join(models, model));
  const json = async (file: string) => {
    const parsed = await files.json(file);
    return file === 'config.json' ? { ...assumed, ...(parsed as object) } : parsed;
  };
  return assembleEngine({ ...settings, source: { ...files, json }, kernels: kernelModules, onProgress });
}

/** The tokenizer of a model's engine, which keeps its own to itself. */
export async function openTokenizer(model: string, models = 'models'): Promise<Tokenizer> {
  const source = directorySource(join(models, model));
  return loadTokenizer(await source.json('tokenizer.json'), (await readModelConfig(source)).maskTokenId);
}

export interface Completion {
  readonly text: string;
  readonly finishReason: 'stop' | 'length';
  readonly tokens: number;
  readonly cost: Cost;
}

export interface GreedySettings {
  readonly maxTokens: number;
  /** Null here and below: what a request gets that does not choose. */
  readonly blockLength: number | null;
  readonly threshold: number | null;
  /** False unless given. */
  readonly verify?: boolean | null;
  readonly stop?: readonly string[];
  /** The prompt is the prefix of a hole. */
  readonly suffix?: string;
}

/** A greedy completion under the confidence policy. */
export async function completeGreedily(
  engine: Engine,
  prompt: string | Int32Array,
  settings: GreedySettings,
): Promise<Completion> {
  let text = '';
  for await (const event of engine.generate(greedyRequest(engine.model, prompt, settings))) {
    if (event.type === 'block') text += event.text;
    if (event.type === 'done') {
      const { finishReason, usage, cost } = event;
      return { text, finishReason, tokens: usage.completionTokens, cost };
    }
  }
  throw new Error('the engine ended without its last event');
}

/** The request of `completeGreedily`, for those who want its events: what the API makes of the same fields. */
function greedyRequest(model: DiffusionModel, prompt: string | Int32Array, settings: GreedySettings): GenerateRequest {
  const { maxTokens, blockLength, threshold, stop = [], verify = false, suffix } = settings;
  const body = completionRequestSchema.parse({
    prompt: typeof prompt === 'string' ? prompt : Array.from(prompt),
    max_tokens: maxTokens,
    temperature: 0,
    seed: 0,
    stop: [...stop],
    suffix,
    decoding: {
      policy: 'confidence',
      threshold: threshold ?? undefined,
      block_length: blockLength ?? undefined,
      verify: verify ?? undefined,
    },
  });
  // A key of its own: whatever is measured runs its whole prompt.
  return { ...resolveRequest(body, model, readSettings(process.env)), cacheKey: crypto.randomUUID() };
}
