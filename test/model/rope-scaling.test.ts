/** Scaled RoPE: transformers (`python -m recipe rope-scaling`), the scalar oracle, the WASM kernels and the ONNX graph. */
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { convert } from '../../src/convert/convert.ts';
import { parseModelConfig } from '../../src/model/config.ts';
import { ropeFrequencies, ropeMagnitude } from '../../src/model/rope.ts';
import { readModelConfig, type WeightSource } from '../../src/model/weight-source.ts';
import type { ScalarModel } from '../../src/reference/scalar-model.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { withConfig } from '../support/engines/families.ts';
import { flavours } from '../support/engines/kernels.ts';
import { fixture, scalarModel, wasmModel } from '../support/engines/models.ts';
import { onnxModel } from '../support/engines/runtimes.ts';

interface Case {
  readonly checkpoint: string;
  readonly changes: object;
  readonly frequencies: readonly number[]; // (d/2)
  readonly magnitude: number;
  readonly ids: readonly number[]; // (N)
  readonly logits: readonly (readonly number[])[]; // (rows, V / every)
}

interface Golden {
  readonly rows: readonly number[];
  readonly every: number;
  readonly cases: Readonly<Record<string, Case>>;
}

const golden: Golden = JSON.parse(await readFile(fixture('rope-scaling.json'), 'utf8'));

async function convertCase({ checkpoint, changes }: Case): Promise<WeightSource> {
  const out = await mkdtemp(join(tmpdir(), 'seedling-rope-'));
  const source = join(out, 'source');
  await cp(fixture(checkpoint), source, { recursive: true });
  const config: object = JSON.parse(await readFile(join(source, 'config.json'), 'utf8'));
  await writeFile(join(source, 'config.json'), JSON.stringify({ ...config, ...changes }));
  await convert(source, { name: 'tiny', out, dtype: 'f32', embedding: 'f32', semantics: {} });
  return directorySource(join(out, 'tiny'));
}

function scalarLogits(model: ScalarModel, ids: Int32Array): Float32Array[] {
  const cache = model.createCache(ids.length) as Parameters<typeof model.logits>[1];
  const logits = model.logits(
    ids,
    cache,
    ids.map((_, i) => i + 1),
  );
  cache.free();
  return logits;
}

/** Through a cache, 50 tokens at a time. */
async function wasmLogits(source: WeightSource, flavour: (typeof flavours)[number], ids: Int32Array) {
  const model = await wasmModel(source, flavour, 256, 'int16');
  const cache = model.createCache(ids.length);
  const logits: Float32Array[] = [];
  for (let at = 0; at < ids.length; at += 50) {
    const part = ids.subarray(at, at + 50);
    await model.commit(part, cache, { rows: 'all' });
    for (const row of part.keys()) logits.push(model.decoder.logits(Int32Array.of(row)).slice());
  }
  return logits;
}

function largestDifference(rows: readonly Float32Array[], { logits }: Case): number {
  let most = 0;
  for (const [r, row] of golden.rows.entries()) {
    for (const [i, value] of logits[r]!.entries()) {
      most = Math.max(most, Math.abs(rows[row]![i * golden.every]! - value));
    }
  }
  return most;
}

describe.each(Object.entries(golden.cases))('%s', async (_name, example) => {
  const source = await convertCase(example);
  const ids = Int32Array.from(example.ids);

  test('frequencies and magnitude are those of transformers', async () => {
    const config = await readModelConfig(source);
    expect(config.ropeScaling).not.toBeNull();
    const found = ropeFrequencies(config);
    expect(found.length).toBe(example.frequencies.length);
    // transformers computes them in float32.
    for (const [i, value] of example.frequencies.entries()) expect(Math.abs(found[i]! / value - 1)).toBeLessThan(2e-6);
    expect(ropeMagnitude(config)).toBeCloseTo(example.magnitude, 6);
  });

  test('logits past the original context: scalar oracle = transformers', async () => {
    expect(largestDifference(scalarLogits(await scalarModel(source), ids), example)).toBeLessThan(1e-3);
  });

  test.each(flavours)('logits past the original context: WASM %s = transformers', async (flavour) => {
    expect(largestDifference(await wasmLogits(source, flavour, ids), example)).toBeLessThan(1e-3);
  });

  test('logits without the scaling are others', async () => {
    const plain = await scalarModel(withConfig(source, { ropeScaling: null }));
    expect(largestDifference(scalarLogits(plain, ids), example)).toBeGreaterThan(1e-2);
  });
});

const { yarn } = golden.cases;

test('the ONNX graph predicts as the oracle, past the original context', async () => {
  const source = await convertCase(yarn!);
  const ids = Int32Array.from(yarn!.ids);
  const [expected, found] = await Promise.all(
    [await scalarModel(source), await onnxModel(source, 'wasm', 256)].map((model) =>
      model.commit(ids, model.createCache(ids.length), { rows: 'all' }),
    ),
  );
  expect(found!.ids).toEqual(expected!.ids);
  for (const [i, prob] of expected!.probs.entries()) expect(Math.abs(found!.probs[i]! - prob)).toBeLessThan(2e-5);
});

test('factors of a GGUF are those that llama.cpp derives from llama3', async () => {
  const scaled = await readModelConfig(await convertCase(golden.cases.llama3!));
  const plain = ropeFrequencies({ ...scaled, ropeScaling: null });
  const wanted = ropeFrequencies(scaled);
  const factors = Array.from(plain, (frequency, i) => Math.fround(frequency / wanted[i]!));
  const found = ropeFrequencies({ ...scaled, ropeScaling: { type: 'factors', factors } });
  for (const [i, value] of wanted.entries()) expect(Math.abs(found[i]! / value - 1)).toBeLessThan(1e-6);
});

test.each([
  [{ type: 'factors', factors: [1, 2] }, 'ropeScaling has 2 factors, a head 8 pairs'],
  [{ type: 'llama3', factor: 8, lowFreqFactor: 4, highFreqFactor: 4, originalContext: 64 }, 'highFreqFactor'],
  [{ type: 'linear', factor: 0 }, 'factor'],
  [{ type: 'dynamic', factor: 2 }, 'ropeScaling'],
])('a config.json that makes no sense is refused: %j', async (ropeScaling, reason) => {
  const source = await convertCase(golden.cases.llama3!);
  const config = (await source.json('config.json')) as object;
  expect(() => parseModelConfig({ ...config, ropeScaling })).toThrow(reason);
});
