/** Draws from logits are the oracle's for the same uniforms. */
import { expect, test } from 'vitest';
import { chooseId } from '../../../src/model/onnx/choose-id.ts';
import { type HeadAsk, headPredict } from '../../../src/reference/scalar.ts';
import { randomFloats } from '../../support/engines/kernels.ts';

const V = 3000;
const MASK = 5;

test.each([
  { temperature: 0, topK: 0, topP: 1 },
  { temperature: 1, topK: 0, topP: 1 },
  { temperature: 0.7, topK: 40, topP: 1 },
  { temperature: 1.2, topK: 0, topP: 0.9 },
  { temperature: 1.5, topK: 100, topP: 0.8 },
  { temperature: 30, topK: 0, topP: 0.99 }, // flat: the tail decides
  { temperature: 0.1, topK: 2000, topP: 1 }, // more than are likely
  { temperature: 1, topK: 0, topP: 0.999999 },
  { temperature: 1, topK: 0, topP: 1, minP: 0.1 },
  { temperature: 2, topK: 0, topP: 1, minP: 0.5 },
  { temperature: 1.5, topK: 20, topP: 0.7, minP: 0.02 },
  { temperature: 30, topK: 0, topP: 0.9, minP: 0.9 },
  { temperature: 1, topK: 0, topP: 1, minP: 1 },
  { temperature: 0, topK: 0, topP: 1, minP: 0.5, factors: Float32Array.of(1.5, 3, 0.5) },
  { temperature: 1, topK: 0, topP: 1, factors: Float32Array.of(5, 0.2, 2) },
] as readonly Pick<HeadAsk, 'temperature' | 'topK' | 'topP' | 'minP' | 'factors'>[])(
  '$temperature, top $topK, mass $topP, least $minP',
  (settings) => {
    const uniforms = Float32Array.from({ length: 12 }, (_, i) => (i + 0.31) / 12);
    uniforms.forEach((uniform, row) => {
      const logits = randomFloats(V, row + 1, 12);
      const ids = Int32Array.of(row, 77, 2000);
      const deltas = Float32Array.of(14, -3, 2);
      const expected = headPredict(logits, MASK, { ...settings, uniform, target: -1, ids, deltas });
      const hidden = logits.slice();
      hidden[MASK] = -1e30;
      const adjustments = Array.from(uniforms, () => ({ ids, deltas, factors: settings.factors }));
      expect(chooseId(hidden, { ...settings, uniforms, adjustments }, row)).toBe(expected.id);
    });
  },
);

test('the mask token is never drawn, and the first of equals is the best', () => {
  const logits = new Float32Array(4).fill(1);
  logits[0] = -1e30;
  const greedy = { temperature: 0, topK: 0, topP: 1, uniforms: Float32Array.of(0) };
  expect(chooseId(logits.slice(), greedy, 0)).toBe(1);
  expect(chooseId(logits.slice(), { ...greedy, temperature: 5 }, 0)).toBe(1);
});
