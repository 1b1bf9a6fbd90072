/**
 * Published float32 logits of a real checkpoint: candle-mi, `scripts/bidirectional_forward_reference.json`, of
 * dllm-hub/Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1 under full attention without masks. Its weights are not in
 * this repository, so this runs where SEEDLING_A2D_MDLM names a directory that has them (and 5 GB are free).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { convert } from '../../src/convert/convert.ts';
import { WasmModel } from '../../src/model/wasm-model.ts';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { kernelModules } from '../support/engines/kernels.ts';

const directory = process.env.SEEDLING_A2D_MDLM;
const REASON = 'SEEDLING_A2D_MDLM names no directory with Qwen2.5-Coder-0.5B-Instruct-diffusion-mdlm-v0.1';
if (directory === undefined) console.info(`published logits: skipped, as ${REASON}`);

/** Ids, and per position the two largest logits. */
const CASES = [
  {
    ids: [785, 6722, 315, 9625, 374, 12095, 13],
    top: [
      [0, 785, 26.3083, 1782, 20.1487],
      [3, 9625, 24.9966, 12095, 20.8307],
      [6, 13, 20.423, 19, 18.3822],
    ],
  },
  {
    ids: [28253, 374, 1865, 315, 34684, 323, 23552, 13],
    top: [
      [0, 28253, 24.869, 9959, 20.102],
      [4, 34684, 17.64, 23552, 13.499],
      [7, 13, 21.3264, 198, 18.3002],
    ],
  },
] as const;

describe.skipIf(directory === undefined)(`published logits (${REASON})`, () => {
  test('of tiny-a2d mdlm, float32 weights', { timeout: 1_200_000 }, async () => {
    const out = await mkdtemp(join(tmpdir(), 'seedling-a2d-'));
    try {
      const options = { name: 'a2d', out, dtype: 'f32', embedding: 'f32', semantics: {} } as const;
      await convert(directory!, { ...options, family: 'tiny-a2d-mdlm' });
      const source = directorySource(join(out, 'a2d'));
      const settings = { kernels: kernelModules, activations: 'int8', prefixCache: false, kvTokens: 64 } as const;
      const model = await WasmModel.load(source, await readModelConfig(source), { ...settings, memoryBudget: 3.5e9 });
      for (const { ids, top } of CASES) {
        const cache = model.createCache(ids.length);
        await model.denoise(Int32Array.from(ids), cache, { positions: Int32Array.of(0) });
        for (const [row, first, firstLogit, second, secondLogit] of top) {
          const logits = model.decoder.logits(Int32Array.of(row));
          expect(Math.abs(logits[first]! - firstLogit)).toBeLessThan(1e-3);
          expect(Math.abs(logits[second]! - secondLogit)).toBeLessThan(1e-3);
          expect(logits.indexOf(Math.max(...logits.subarray(0, model.config.vocabSize)))).toBe(first);
        }
        cache.free();
      }
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });
});
