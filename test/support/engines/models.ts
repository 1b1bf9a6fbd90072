/** Fixture checkpoints, converted once per test file to a temporary directory. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../../src/convert/convert.ts';
import type { Threads } from '../../../src/kernels/crew.ts';
import type { KernelFlavour } from '../../../src/kernels/kernels.ts';
import type { Activations } from '../../../src/model/linear.ts';
import { WasmModel } from '../../../src/model/wasm-model.ts';
import { readModelConfig, type WeightSource } from '../../../src/model/weight-source.ts';
import { ScalarModel } from '../../../src/reference/scalar-model.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { kernelModules, sharedKernelModules } from './kernels.ts';

export type Dtype = 'f32' | 'int8' | 'int4';

export function fixture(name: string): string {
  return new URL(`../../fixtures/${name}`, import.meta.url).pathname;
}

export async function convertFixture(name: string, dtype: Dtype, semantics = {}): Promise<WeightSource> {
  return directorySource(await convertToDirectory(name, dtype, semantics));
}

export async function convertToDirectory(name: string, dtype: Dtype, semantics = {}): Promise<string> {
  const out = await mkdtemp(join(tmpdir(), 'seedling-'));
  await convert(fixture(name), { name, out, dtype, embedding: dtype, semantics });
  return join(out, name);
}

/** A fixture with the adapters of its drafts.safetensors. */
export async function convertWithDrafts(name: string, dtype: Dtype): Promise<WeightSource> {
  const out = await mkdtemp(join(tmpdir(), 'seedling-'));
  const drafts = join(fixture(name), 'drafts.safetensors');
  await convert(fixture(name), { name, out, dtype, embedding: dtype, semantics: {}, drafts });
  return directorySource(join(out, name));
}

export async function wasmModel(
  source: WeightSource,
  flavour: KernelFlavour,
  kvTokens = 128,
  activations: Activations = 'int8',
  threads?: Threads,
): Promise<WasmModel> {
  const options = {
    threads,
    kernels: threads ? sharedKernelModules : kernelModules,
    flavour,
    activations,
    memoryBudget: 1 << 30,
    kvTokens,
    prefixCache: true,
  };
  return WasmModel.load(source, await readModelConfig(source), options);
}

/** @param roundActivations see `ScalarModel.load` */
export async function scalarModel(source: WeightSource, roundActivations = false): Promise<ScalarModel> {
  return ScalarModel.load(source, await readModelConfig(source), 512, roundActivations);
}

export interface GoldenCase {
  readonly ids: number[];
  /** The first `commit` ids are context, the others one active block. */
  readonly commit: number;
  readonly logits: number[][]; // (ids, V)
}

/** @param file golden.json, or drafts-golden.json for the model with the adapters of drafts.safetensors */
export async function golden(name: string, file = 'golden.json'): Promise<readonly GoldenCase[]> {
  return JSON.parse(await readFile(join(fixture(name), file), 'utf8')).cases;
}
