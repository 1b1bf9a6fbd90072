/** The engine as the Node host assembles it, for benches and evaluations. */
import { assembleEngine } from '../../src/assemble.ts';
import { directorySource } from '../../src/directory-source.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { Cost } from '../../src/engine/request.ts';
import { readSettings } from '../../src/settings.ts';
import { kernelModules } from './kernels.ts';

/** @param model a directory of `models/` */
export async function openEngine(model: string): Promise<Engine> {
  const settings = readSettings(process.env);
  return assembleEngine({ ...settings, source: directorySource(`models/${model}`), kernels: kernelModules });
}

export interface Completion {
  readonly text: string;
  readonly tokens: number;
  readonly cost: Cost;
}

export interface GreedySettings {
  readonly maxTokens: number;
  readonly blockLength: number;
  readonly threshold: number;
}

/** A greedy completion under the confidence policy. */
export async function completeGreedily(engine: Engine, prompt: string, settings: GreedySettings): Promise<Completion> {
  const { maxTokens, blockLength, threshold } = settings;
  const decoding = { policy: 'confidence', threshold, steps: blockLength, blockLength } as const;
  const request = { prompt, maxTokens, temperature: 0, topP: 1, topK: 0, seed: 0, stop: [], decoding };
  let text = '';
  for await (const event of engine.generate(request)) {
    if (event.type === 'block') text += event.text;
    if (event.type === 'done') return { text, tokens: event.usage.completionTokens, cost: event.cost };
  }
  throw new Error('the engine ended without its last event');
}
