import { describe, expect, it } from 'vitest';
import type { Adjustment, Sampling } from '../../src/model/model.ts';
import { headPredict } from '../../src/reference/scalar.ts';
import { createDraw, type DrawSettings } from '../../src/sampler/draw.ts';
import type { LogitRules } from '../../src/sampler/logit-rules.ts';
import { randomFloats } from '../support/engines/kernels.ts';

const GREEDY: DrawSettings = { temperature: 0, topP: 0.9, topK: 5, seed: 1, logitRules: null };
const WARM: DrawSettings = { ...GREEDY, temperature: 0.7 };

const rules = (frequencyPenalty: number, presencePenalty: number, bias: Record<number, number> = {}): LogitRules => ({
  frequencyPenalty,
  presencePenalty,
  logitBias: new Map(Object.entries(bias).map(([id, value]) => [Number(id), value])),
});

/** id -> delta, rounded as float32. */
function deltas(adjustment: Adjustment | undefined): Record<number, number> {
  const { ids = [], deltas: values = [] } = adjustment ?? {};
  return Object.fromEntries(Array.from(ids, (id, i) => [id, values[i] ?? Number.NaN]));
}

const at = (...offsets: number[]) => Int32Array.from(offsets);
const row = (sampling: Sampling | undefined, i = 0) => deltas(sampling?.adjustments?.[i]);

describe('draws', () => {
  it('are the plain argmax at temperature 0', () => {
    const draw = createDraw(GREEDY);
    expect(draw(at(0))).toBeUndefined();
    expect(draw.along(at(7, 8), 5)).toBeUndefined();
  });

  it('go by offset, whatever else is asked for at the same time, and however often', () => {
    const draw = createDraw(WARM);
    const both = draw(at(4, 9))!;
    expect(both).toMatchObject({ temperature: 0.7, topP: 0.9, topK: 5 });
    draw.decided(at(4), at(65));
    expect(draw(at(9))!.uniforms[0]).toBe(both.uniforms[1]);
    expect(both.uniforms[0]).not.toBe(both.uniforms[1]);
  });

  it('of a verified commit are those of the offsets behind each token', () => {
    const draw = createDraw(WARM);
    // Tokens at 2, 3, 4, so the rows choose 3, 4, 5.
    expect(draw.along(at(65, 66, 67), 5)!.uniforms).toEqual(draw(at(3, 4, 5))!.uniforms);
  });
});

describe('what moves the first offset', () => {
  const first: Adjustment = { ids: at(65, 66), deltas: Float32Array.of(100, 200) };

  it('moves no other, nor what stands behind drafts', () => {
    const draw = createDraw(GREEDY, first);
    expect(row(draw(at(0)))).toEqual({ 65: 100, 66: 200 });
    const both = draw(at(1, 0));
    expect([row(both, 0), row(both, 1)]).toEqual([{}, { 65: 100, 66: 200 }]);
    expect(draw(at(1))).toBeUndefined();
    expect(draw.along(at(65), 1)).toBeUndefined();
  });

  it('is added to the biases', () => {
    const draw = createDraw({ ...GREEDY, logitRules: rules(0, 0, { 3: 10, 66: -1 }) }, first);
    expect(row(draw(at(0)))).toEqual({ 3: 10, 65: 100, 66: 199 });
    expect(row(draw(at(1)))).toEqual({ 3: 10, 66: -1 });
  });
});

describe('penalties and biases', () => {
  it('are bias - count * frequency - (count > 0) * presence', () => {
    const draw = createDraw({ ...GREEDY, logitRules: rules(0.5, 0.25, { 3: 10, 66: -1 }) });
    expect(row(draw(at(0)))).toEqual({ 3: 10, 66: -1 });
    draw.decided(at(0, 1, 5), at(65, 66, 65));
    // 65 twice: -2 * 0.5 - 0.25. 66 once, with its bias: -1 - 0.5 - 0.25.
    expect(row(draw(at(2)))).toEqual({ 3: 10, 65: -1.25, 66: -1.75 });
  });

  it('may be negative: repetition is favoured', () => {
    const draw = createDraw({ ...GREEDY, logitRules: rules(-2, -1) });
    draw.decided(at(0, 1), at(65, 65));
    expect(row(draw(at(2)))).toEqual({ 65: 5 });
  });

  it('of a bias alone do not move with what is decided', () => {
    const draw = createDraw({ ...WARM, logitRules: rules(0, 0, { 3: 10 }) });
    draw.decided(at(0), at(65));
    expect(row(draw(at(1)))).toEqual({ 3: 10 });
    expect(draw(at(1))!.temperature).toBe(0.7);
  });

  it('are one object for all rows while nothing is decided', () => {
    const draw = createDraw({ ...GREEDY, logitRules: rules(1, 0) });
    draw.decided(at(0), at(65));
    const [first, second] = draw(at(1, 2))!.adjustments!;
    expect(second).toBe(first);
    expect(draw(at(3))!.adjustments![0]).toBe(first);
    draw.decided(at(1), at(66));
    expect(draw(at(3))!.adjustments![0]).not.toBe(first);
  });

  it('follow what is revised and what is masked again', () => {
    const draw = createDraw({ ...GREEDY, logitRules: rules(1, 0) });
    draw.decided(at(0, 1, 2), at(65, 66, 66));
    draw.decided(at(1), at(67));
    expect(row(draw(at(3)))).toEqual({ 65: -1, 66: -1, 67: -1 });
    draw.forgotten(at(2, 9));
    expect(row(draw(at(3)))).toEqual({ 65: -1, 67: -1 });
  });

  it('do not count a decided id against its own choice', () => {
    const draw = createDraw({ ...GREEDY, logitRules: rules(1, 0) });
    draw.decided(at(0, 1, 2), at(65, 66, 65));
    const sampling = draw(at(0, 1, 3));
    expect(row(sampling, 0)).toEqual({ 65: -1, 66: -1 });
    expect(row(sampling, 1)).toEqual({ 65: -2 });
    expect(row(sampling, 2)).toEqual({ 65: -2, 66: -1 });
  });

  it('of a verified commit count only what stands before each choice, drafts that were told too', () => {
    const draw = createDraw({ ...GREEDY, logitRules: rules(1, 0) });
    draw.decided(at(0, 1), at(65, 66));
    draw.decided(at(2, 3, 4, 5), at(65, 67, 67, 68));
    const sampling = draw.along(at(65, 67, 67), 5)!;
    expect(sampling.adjustments!.map(deltas)).toEqual([
      { 65: -2, 66: -1 },
      { 65: -2, 66: -1, 67: -1 },
      { 65: -2, 66: -1, 67: -2 },
    ]);
    // As one at a time: what is decided when offset 3 is chosen.
    const single = createDraw({ ...GREEDY, logitRules: rules(1, 0) });
    single.decided(at(0, 1, 2), at(65, 66, 65));
    expect(row(single(at(3)))).toEqual(row(sampling));
  });
});

describe('a repetition penalty', () => {
  const PROMPT = at(10, 11, 12, 11);
  const repetition = (window: number, penalty = 2) => ({ ...rules(0, 0), repetition: { penalty, window } });
  const penalised = (sampling: Sampling | undefined, i = 0) => {
    const { ids, factors } = sampling!.adjustments![i]!;
    return Object.fromEntries(Array.from(ids, (id, k) => [id, factors![k]]));
  };
  const all = (...ids: number[]) => Object.fromEntries(ids.map((id) => [id, 2]));

  it.each([
    [Number.POSITIVE_INFINITY, 3, all(10, 11, 12, 65, 66, 67)],
    [7, 3, all(10, 11, 12, 65, 66, 67)],
    [6, 3, all(11, 12, 65, 66, 67)],
    [4, 3, all(11, 65, 66, 67)],
    [3, 3, all(65, 66, 67)],
    [2, 3, all(66, 67)],
    [1, 3, all(67)],
  ])('counts the %s tokens before a choice, the prompt among them', (window, offset, expected) => {
    const draw = createDraw({ ...GREEDY, logitRules: repetition(window) }, null, PROMPT);
    draw.decided(at(0, 1, 2), at(65, 66, 67));
    expect(penalised(draw(at(offset)))).toEqual(expected);
    // As the check of drafts counts, whatever was drafted after them.
    draw.decided(at(3), at(99));
    expect(penalised(draw.along(at(65, 66, 67), 3), 2)).toEqual(expected);
    expect(penalised(draw.along(at(66, 67), 3), 1)).toEqual(expected);
    expect(penalised(draw.along(at(67), 3))).toEqual(expected);
  });

  it('counts an id once, and what is decided on either side of a mask', () => {
    const draw = createDraw({ ...GREEDY, logitRules: repetition(2) }, null, PROMPT);
    draw.decided(at(0, 2, 3, 6), at(65, 65, 66, 67));
    expect(penalised(draw(at(1)))).toEqual(all(11, 65, 66));
    expect(penalised(draw(at(2)))).toEqual(all(65, 66));
  });

  it('comes before what is added, and leaves the lift of the first offset alone', () => {
    const first: Adjustment = { ids: at(65, 12), deltas: Float32Array.of(100, 200) };
    const logitRules = { ...repetition(2), logitBias: new Map([[12, -1]]) };
    const sampling = createDraw({ ...GREEDY, logitRules }, first, PROMPT)(at(0));
    expect(row(sampling)).toEqual({ 11: 0, 12: 199, 65: 100 });
    expect(penalised(sampling)).toEqual({ 11: 2, 12: 2, 65: 1 });
  });
});

describe('verification by the same draw', () => {
  it('is the rejection rule for a certain draft: accepted with p(d), else distributed as max(0, p - q) normalised', () => {
    const logits = randomFloats(12, 4, 2);
    const weights = Array.from(logits, (x) => Math.exp(x / 0.8));
    const p = weights.map((weight) => weight / weights.reduce((sum, x) => sum + x, 0));
    const draft = p.indexOf(p.toSorted((a, b) => b - a)[1]!);
    const q = p.map((_, id) => (id === draft ? 1 : 0));
    const residual = p.map((mass, id) => Math.max(0, mass - q[id]!));
    const total = residual.reduce((sum, mass) => sum + mass, 0);

    // Uniforms on a grid: a frequency is off by at most one draw.
    const draws = 20_000;
    let accepted = 0;
    const corrected = new Array<number>(12).fill(0);
    for (let i = 0; i < draws; i++) {
      const ask = { temperature: 0.8, topK: 0, topP: 1, uniform: (i + 0.5) / draws, target: -1 };
      const { id } = headPredict(logits, -1, { ...ask, ids: new Int32Array(), deltas: new Float32Array() });
      if (id === draft) accepted += 1;
      else corrected[id]! += 1;
    }
    expect(Math.abs(accepted / draws - Math.min(1, p[draft]! / q[draft]!))).toBeLessThan(2 / draws);
    for (const [id, count] of corrected.entries()) {
      expect(Math.abs(count / (draws - accepted) - residual[id]! / total)).toBeLessThan(3 / draws);
    }
  });
});
