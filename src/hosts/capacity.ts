/**
 * Settles a host's sizes: its memory, its context and the new tokens of a request. A size that was given holds or is an
 * error. A size that was not given fits the model and the memory.
 */
import type { ModelConfig } from '../model/config.ts';
import { ModelLoadError } from '../model/errors.ts';
import { memoryPlan } from '../model/wasm-model.ts';
import { readModelConfig, type WeightSource } from '../model/weight-source.ts';
import { readManifest } from '../model/weights.ts';
import { JS_RESERVE_BYTES } from './assemble.ts';
import { type Settings, SettingsError, type Size } from './settings.ts';

const MIB = 1024 * 1024;

export interface CapacityOptions {
  readonly source: WeightSource;
  readonly settings: Settings;
  /** The sizes that somebody gave. */
  readonly given: ReadonlySet<Size>;
  /** KV tokens where `KV_TOKENS` is not given, if the memory holds them: `setting`, or as many as the model's context. */
  readonly fill: 'setting' | 'model';
  /** Threads that multiply, the calling one included. */
  readonly threads: number;
}

export interface Capacity {
  /** KV tokens, all requests together. */
  readonly kvTokens: number;
  /** New tokens of a request at most. */
  readonly maxTokens: number;
  /** The model's own context, in tokens. */
  readonly contextLength: number;
  /** What the host will take of its budget, in bytes. Null: ONNX Runtime takes its own memory. */
  readonly neededBytes: number | null;
}

/**
 * Reads the model's small files, and no weights.
 * @throws SettingsError for sizes that contradict the model or each other
 * @throws ModelLoadError naming the file that is at fault
 */
export async function settleCapacity(options: CapacityOptions): Promise<Capacity> {
  const { source, settings, given } = options;
  const config = await readModelConfig(source);
  const { contextLength } = config;
  if (given.has('KV_TOKENS') && settings.kvTokens > contextLength) {
    throw new SettingsError(
      `Setting KV_TOKENS is ${settings.kvTokens}, but ${settings.model} has a context of ${contextLength} tokens.`,
    );
  }
  const onnx = settings.runtime === 'onnx' || settings.runtime === 'webgpu';
  const { kvTokens, neededBytes } = onnx
    ? { kvTokens: Math.min(settings.kvTokens, contextLength), neededBytes: null }
    : await fitMemory(options, config);
  return { kvTokens, maxTokens: Math.min(settings.maxTokens, kvTokens), contextLength, neededBytes };
}

async function fitMemory({ source, settings, given, fill, threads }: CapacityOptions, config: ModelConfig) {
  const { memoryBudgetBytes, model } = settings;
  const plan = memoryPlan(await readManifest(source), config, settings.activations, threads);
  const needed = (pages: number) => JS_RESERVE_BYTES + plan.bytes(pages);
  const refuse = (pages: number, what: string): never => {
    const budget = `Setting MEMORY_BUDGET_MIB is ${memoryBudgetBytes / MIB}`;
    const origin = given.has('MEMORY_BUDGET_MIB') ? '' : ', which is the default here';
    throw new SettingsError(`${budget}${origin}, but ${what} take ${Math.ceil(needed(pages) / MIB)} MiB.`);
  };
  const chosen = given.has('KV_TOKENS') || fill === 'setting' ? settings.kvTokens : config.contextLength;
  const wanted = Math.min(chosen, config.contextLength);
  const pages = plan.pagesWithin(memoryBudgetBytes - JS_RESERVE_BYTES, wanted);
  if (pages === 0) refuse(1, `the weights of ${model} and one page of KV`);
  // The pool has whole pages, so it may have a few tokens more than were asked for.
  const kvTokens = pages * plan.pageTokens;
  if (given.has('KV_TOKENS') && kvTokens < wanted) {
    refuse(Math.ceil(wanted / plan.pageTokens), `${model} and KV_TOKENS=${wanted}`);
  }
  return { kvTokens, neededBytes: needed(pages) };
}

/**
 * The same while a model loads.
 * @throws ModelLoadError also for sizes that contradict the model: callers are told its words
 */
export async function loadCapacity(options: CapacityOptions): Promise<Capacity> {
  try {
    return await settleCapacity(options);
  } catch (error) {
    throw error instanceof SettingsError ? new ModelLoadError(error.message) : error;
  }
}

/** Of a budget that was not given. */
const ORIGINS = { setting: 'the default', model: "at most half of this machine's" } as const;

/** One line for the person who starts the host. It says of each size where it comes from. */
export function capacityLine(
  { kvTokens, maxTokens, contextLength, neededBytes }: Capacity,
  options: CapacityOptions,
): string {
  const { settings, given } = options;
  const asked = kvTokens === settings.kvTokens ? 'KV_TOKENS' : `KV_TOKENS=${settings.kvTokens}, in whole pages`;
  const origin = given.has('KV_TOKENS') ? asked : whyTokens(kvTokens, contextLength, options);
  const cut = given.has('MAX_TOKENS') && maxTokens < settings.maxTokens ? `, not ${settings.maxTokens}` : '';
  const budget = settings.memoryBudgetBytes / MIB;
  const whose = given.has('MEMORY_BUDGET_MIB') ? 'MEMORY_BUDGET_MIB' : ORIGINS[options.fill];
  const memory =
    neededBytes === null ? 'ONNX Runtime takes' : `${Math.ceil(neededBytes / MIB)} of ${budget} MiB (${whose})`;
  return (
    `Context: ${kvTokens} tokens (${origin}), ${maxTokens} of them new in a request${cut}. ` +
    `Concurrency: ${settings.queue.concurrency} requests. Memory: ${memory}.`
  );
}

function whyTokens(kvTokens: number, contextLength: number, { settings, fill }: CapacityOptions): string {
  if (kvTokens >= contextLength) return "the model's own";
  return fill === 'setting' && kvTokens === settings.kvTokens
    ? 'the default'
    : `of ${contextLength}: more does not fit the memory`;
}
