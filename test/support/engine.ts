/** The engine as the Node host assembles it, for benches and evaluations. */
import { assembleEngine } from '../../src/assemble.ts';
import { directorySource } from '../../src/directory-source.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { readSettings } from '../../src/settings.ts';
import { kernelModules } from './kernels.ts';

/** @param model a directory of `models/` */
export async function openEngine(model: string): Promise<Engine> {
  const settings = readSettings(process.env);
  return assembleEngine({ ...settings, source: directorySource(`models/${model}`), kernels: kernelModules });
}
