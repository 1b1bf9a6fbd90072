/** Checkpoints of published families, tiny and random, with what PyTorch makes of them (`python -m recipe families`). */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConvertOptions, convert } from '../../../src/convert/convert.ts';
import type { WeightSource } from '../../../src/model/weight-source.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { fixture } from './models.ts';

export const FAMILIES = [
  'tiny-a2d-bd3lm',
  'tiny-a2d-qwen3-bd3lm',
  'sdar',
  'stable-diffcoder',
  'fast-dllm-v2',
  'tiny-a2d-mdlm',
  'open-dcoder',
  'dream',
] as const;
export type FamilyName = (typeof FAMILIES)[number];

/** Those whose tokens all see each other, so that no cache is exact. */
export const FULL_CANVAS = ['tiny-a2d-mdlm', 'open-dcoder', 'dream'] as const satisfies readonly FamilyName[];

export interface LogitCase {
  /** A prompt and a block that holds masks. */
  readonly ids: readonly number[]; // (N)
  /** Tokens of the prompt. */
  readonly prompt: number;
  /** Row r as the model gives it, every `every`th entry of the vocabulary. */
  readonly logits: readonly (readonly number[])[]; // (N, V / every)
}

export interface DecodingCase {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  /** Instead of the checkpoint's stop ids; null: none ever comes. */
  readonly stop: readonly number[] | null;
  /** Of the request; empty: as the checkpoint's own sampler does. */
  readonly decoding: object;
  /** What each forward decided: completion offsets, ids. */
  readonly steps: readonly (readonly [readonly number[], readonly number[]])[];
  /** Before the first stop id. */
  readonly ids: readonly number[];
}

export interface FamilyGolden {
  /** What the converter has to be told. */
  readonly flags: Partial<ConvertOptions>;
  readonly every: number;
  readonly logits: readonly LogitCase[];
  readonly decodings: readonly DecodingCase[];
}

export function familyDirectory(name: FamilyName): string {
  return fixture(`families/${name}`);
}

export async function familyGolden(name: FamilyName): Promise<FamilyGolden> {
  return JSON.parse(await readFile(join(familyDirectory(name), 'golden.json'), 'utf8'));
}

/** Converted without rounding. */
export async function convertFamily(name: FamilyName): Promise<WeightSource> {
  const out = await mkdtemp(join(tmpdir(), 'seedling-'));
  const { flags } = await familyGolden(name);
  await convert(familyDirectory(name), { name, out, dtype: 'f32', embedding: 'f32', semantics: {}, ...flags });
  return directorySource(join(out, name));
}

/** The same model with other semantics. */
export function withConfig(source: WeightSource, changes: object): WeightSource {
  return {
    ...source,
    async json(file) {
      const json = await source.json(file);
      return file === 'config.json' ? { ...(json as object), ...changes } : json;
    },
  };
}
