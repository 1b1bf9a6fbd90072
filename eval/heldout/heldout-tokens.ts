/** The recipe's held-out packages, tokenized. No model of ours was trained on them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../scripts/suites.ts';
import type { EvalSettings } from '../settings.ts';
import { readNpyUint16 } from './npy.ts';

const MANIFEST = new URL('../../models/recipe/manifest.json', import.meta.url);
const manifestSchema = z.object({ packages: z.array(z.object({ name: z.string(), split: z.string() })) });

export interface HeldoutPackage {
  readonly name: string;
  /** Documents, each ended by <|endoftext|>. */
  readonly tokens: Uint16Array; // (N)
}

/**
 * In the manifest's order.
 * @throws InputError when a token file is missing, naming the command that makes it
 */
export async function readHeldoutPackages({ cache }: EvalSettings): Promise<HeldoutPackage[]> {
  const { packages } = manifestSchema.parse(JSON.parse(await readFile(MANIFEST, 'utf8')));
  return Promise.all(
    packages
      .filter(({ split }) => split === 'heldout')
      .map(async ({ name }) => {
        const path = join(cache, 'tokens', 'heldout', `${name.replace(/^@/, '').replaceAll('/', '-')}.npy`);
        const file = await readFile(path).catch((error) => {
          throw new InputError(
            `${path} cannot be read (${error.code}): cd models/recipe && python -m recipe corpus --split heldout makes it`,
          );
        });
        return { name, tokens: readNpyUint16(file) };
      }),
  );
}

/** The share of `count` that the package at `index` of `packages` gives. The first packages give one more. */
export function shareOf(count: number, index: number, packages: number): number {
  return Math.floor(count / packages) + Number(index < count % packages);
}

/** `share` starts of windows, evenly spread over `tokens` with neither end among them: numpy's linspace. */
export function evenStarts(tokens: number, length: number, share: number): number[] {
  const step = (tokens - length) / (share + 1);
  return Array.from({ length: share }, (_, i) => Math.floor((i + 1) * step));
}

/** The sequences that the recipe's `evaluate.held_out_sequences` takes. */
export function heldoutSequences(packages: readonly HeldoutPackage[], count: number, length: number): Int32Array[] {
  return packages.flatMap(({ tokens }, index) =>
    evenStarts(tokens.length, length, shareOf(count, index, packages.length)).map((start) =>
      Int32Array.from(tokens.subarray(start, start + length)),
    ),
  );
}
