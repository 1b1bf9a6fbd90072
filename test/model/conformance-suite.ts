/** Every runtime gives the oracle's answers: probabilities, entropies, targets, draws and KV, not only the best ids. */
import { beforeAll, describe, expect, test } from 'vitest';
import { OutOfMemoryError } from '../../src/model/errors.ts';
import type { DiffusionModel, Predictions } from '../../src/model/model.ts';
import { convertFixture, convertWithDrafts, type Dtype, scalarModel } from '../support/engines/models.ts';
import { type Runtime, readKv } from '../support/engines/runtimes.ts';
import { type Conformance, runConformance } from './conformance-script.ts';

/** A software adapter compiles some forty shaders first. */
const LOAD_MS = 240_000;

function expectClose(got: Predictions, expected: Predictions, tolerance: number): void {
  expect(got.ids.length).toBe(expected.ids.length);
  for (const field of ['probs', 'entropies', 'targetProbs'] as const) {
    expect(got[field]?.length).toBe(expected[field]?.length);
    got[field]?.forEach((value, i) => {
      expect(Math.abs(value - (expected[field]?.[i] ?? Number.NaN))).toBeLessThanOrEqual(tolerance);
    });
  }
  expect(got.ids).toEqual(expected.ids);
}

/** A checkpoint of `test/fixtures`, the type of its matrices, its semantics where they differ, and whether masks have adapters. */
export type Checkpoint = readonly [fixture: string, dtype: Dtype, semantics: object, drafts?: 'drafts'];

/** Every architecture, type of matrix and context attention once, and adapters on quantized and on float inputs. */
export const CHECKPOINTS: readonly Checkpoint[] = [
  ['tiny-llama', 'int4', {}],
  ['tiny-qwen2', 'f32', { contextAttention: 'block_causal', logitShift: false }],
  ['tiny-qwen3', 'int8', {}],
  ['tiny-qwen2', 'int8', {}, 'drafts'],
  ['tiny-llama', 'f32', {}, 'drafts'],
];

/**
 * The tests of a checkpoint on each of these runtimes.
 * @param rounded whether the oracle rounds activations and KV to int8
 */
export function conformance(
  [fixture, dtype, semantics, drafts]: Checkpoint,
  runtimes: readonly Runtime[],
  rounded = false,
): void {
  const source = drafts ? convertWithDrafts(fixture, dtype) : convertFixture(fixture, dtype, semantics);
  let oracle: Conformance;
  beforeAll(async () => {
    const model = await scalarModel(await source, rounded);
    oracle = await runConformance(model, (cache) => readKv(model, cache));
  });

  describe.each([...runtimes])('$name', ({ load, tolerance }) => {
    let model: DiffusionModel;
    let run: Conformance;
    beforeAll(async () => {
      model = await load(await source);
      run = await runConformance(model, (cache) => readKv(model, cache));
    }, LOAD_MS);

    test('every forward is answered as by the oracle', () => {
      expect(Object.keys(run.answers)).toEqual(Object.keys(oracle.answers));
      for (const [name, predictions] of Object.entries(run.answers)) {
        expectClose(predictions, oracle.answers[name]!, tolerance);
      }
    });

    test('K and V are those of the oracle', () => {
      expect(run.kv.length).toBe(2 * model.config.numLayers);
      for (const [i, tensor] of run.kv.entries()) {
        const expected = oracle.kv[i]!;
        expect(tensor.length).toBe(expected.length);
        expect(expected.some((value) => Math.abs(value) > 0.1)).toBe(true);
        tensor.forEach((value, j) => {
          expect(Math.abs(value - (expected[j] ?? Number.NaN))).toBeLessThanOrEqual(10 * tolerance);
        });
      }
    });

    test('cached, advanced and truncated forwards are those of a whole context', () => {
      const { answers } = run;
      const slack = Math.max(tolerance, 1e-6);
      expectClose(answers.blockAgain!, answers.block!, slack);
      expectClose(answers.piecesBlock!, answers.block!, slack);
      expectClose(answers.advancedClean!, answers.clean!, slack);
      expectClose(answers.advancedBlock!, answers.nextBlock!, slack);
      expectClose(answers.truncated!, answers.neverLonger!, slack);
      expect(answers.drawnFromOne!.ids).toEqual(answers.neverLonger!.ids);
      expect([...answers.adjustedClean!.ids, ...answers.adjustedBlock!.ids]).toEqual([40, 41, 42]);
    });

    test('all room is back, and what cannot run is refused before any work', async () => {
      expect(run.lostTokens).toBe(0);
      const free = model.freeTokens;
      const memory = (retryable: boolean) => expect.objectContaining({ name: 'OutOfMemoryError', retryable });
      expect(() => model.createCache(model.maxTokens + 1)).toThrow(OutOfMemoryError);
      expect(() => model.createCache(model.maxTokens + 1)).toThrow(memory(false));
      const most = model.createCache(free);
      expect(() => model.createCache(1)).toThrow(memory(true));
      most.free();
      most.free();
      expect(model.freeTokens).toBe(free);
      const cache = model.createCache(16);
      await expect(model.commit(new Int32Array(33), cache, { rows: 'last' })).rejects.toThrow(RangeError);
      await expect(
        model.commit(Int32Array.of(264), cache, { rows: 'all', targets: Int32Array.of(264) }),
      ).rejects.toThrow(/outside the vocabulary/);
      expect(cache.length).toBe(0);
      cache.free();
      expect(model.freeTokens).toBe(free);
    });
  });
}
