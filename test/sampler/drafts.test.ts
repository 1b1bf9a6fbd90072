import { describe, expect, it } from 'vitest';
import type { CostCurve } from '../../src/model/cost-curve.ts';
import { Canvas } from '../../src/sampler/canvas.ts';
import { Acceptance, AcceptanceTable } from '../../src/sampler/drafts/acceptance.ts';
import { DraftCounts } from '../../src/sampler/drafts/counts.ts';
import type { Drafter } from '../../src/sampler/drafts/drafter.ts';
import { Drafts } from '../../src/sampler/drafts/drafts.ts';
import { LOOKUP_PRIORS, LookupDrafts } from '../../src/sampler/drafts/lookup.ts';
import { MaskAcceptance, MaskDrafts } from '../../src/sampler/drafts/mask.ts';
import { MeasuredCosts } from '../../src/sampler/drafts/measured-costs.ts';
import { PredictedText } from '../../src/sampler/drafts/predicted-text.ts';
import { PredictionDrafts } from '../../src/sampler/drafts/prediction.ts';
import { worthChecking, worthPredicting } from '../../src/sampler/drafts/worth.ts';
import { uniform } from '../../src/sampler/random.ts';
import { EOS, MASK } from '../support/engines/byte-tokenizer.ts';
import { fakeConfig } from '../support/engines/fake-model.ts';

const ids = (text: string) => Int32Array.from(new TextEncoder().encode(text));
const text = (of: Int32Array) => new TextDecoder().decode(Uint8Array.from(of));
const curve = (...points: [number, number][]): CostCurve => ({
  source: 'measured',
  positions: points.map(([at]) => at),
  costs: points.map(([, cost]) => cost),
});
/** What one core with VNNI measures: the second row costs an eighth of the first, the sixteenth a quarter. */
const core = curve([1, 1], [2, 1.12], [4, 1.45], [8, 2.4], [16, 4.5]);
const alone = { rows: 0, tokens: 0 };
const priors = (rate: number) => new AcceptanceTable([rate]);

describe('what is looked up', () => {
  const lookup = (before: string, room = 100) => new LookupDrafts(ids(before), room, priors(0.5));
  const proposed = (drafts: LookupDrafts, most = 4) => {
    const draft = drafts.propose(most);
    return draft && text(draft.ids);
  };

  it('is what followed the last tokens when they stood before', () => {
    const drafts = lookup('const total = sum(items); ');
    drafts.push(ids('let other = sum('));
    expect(proposed(drafts, 8)).toBe('items); ');
  });

  it('is nothing where the last token never stood before, and at the end of the room', () => {
    const drafts = lookup('abcdef', 4);
    expect(drafts.propose(4)).toBeNull();
    drafts.push(ids('z'));
    expect(drafts.propose(4)).toBeNull();
    drafts.push(ids('b'));
    expect(proposed(drafts, 4)).toBe('cd');
    drafts.push(ids('bc'));
    expect(drafts.propose(4)).toBeNull();
  });

  it('is likelier where the same followed twice, and less where something else did', () => {
    const rate = (before: string) => {
      const drafts = new LookupDrafts(ids(before), 100, new AcceptanceTable(LOOKUP_PRIORS));
      drafts.push(ids('ab'));
      return drafts.propose(1)!.rates[0]!;
    };
    expect(rate('-ab1+ab1*')).toBeGreaterThan(rate('-ab1*'));
    expect(rate('-ab1+ab2*')).toBeLessThan(rate('-ab1*'));
    expect(rate('-ab1+ab2*ab2.')).toBe(rate('-ab1+ab1*'));
    expect(rate('xyzab1.')).toBe(rate('-ab1*'));
  });

  it('prefers the longer match to the later one, and of equals takes the later', () => {
    const longer = lookup('abcd1 bcd2 ');
    longer.push(ids('abcd'));
    expect(proposed(longer, 1)).toBe('1');
    const equal = lookup('abcd1 abcd2 ');
    equal.push(ids('abcd'));
    expect(proposed(equal, 1)).toBe('2');
  });

  it('goes round in a text that repeats a short piece', () => {
    const drafts = lookup('-ab');
    drafts.push(ids('ab'));
    expect(proposed(drafts, 7)).toBe('abababa');
  });

  it('finds a match wherever the last token stood before, as a search of the whole text does', () => {
    for (let seed = 0; seed < 60; seed++) {
      const letter = (i: number) => 97 + Math.floor(uniform(seed, i) * (2 + (seed % 9)));
      const whole = Int32Array.from({ length: 120 }, (_, i) => letter(i));
      const drafts = new LookupDrafts(whole.slice(0, 20), 100, priors(0.5));
      for (let end = 20; end < 120; end++) {
        drafts.push(whole.slice(end, end + 1));
        const written = whole.subarray(0, end + 1);
        const best = longestMatch(written);
        const draft = drafts.propose(3);
        expect(draft !== null, `seed ${seed}, ${end}`).toBe(best >= 1 && end < 119);
        if (!draft) continue;
        // Four tokens are remembered. A longer match is found only where a draft led to it.
        const matches = placesAfter(written, Math.min(best, 4)).map((place) => whole[place]);
        expect(matches).toContain(draft.ids[0]);
      }
    }
  });

  it('learns how often a match of a length holds', () => {
    const table = new AcceptanceTable(LOOKUP_PRIORS.map(() => 0.5));
    const drafts = new LookupDrafts(ids('abcd-'), 100, table);
    drafts.push(ids('ab'));
    const before = drafts.propose(2)!.rates;
    for (let i = 0; i < 20; i++) drafts.observe(1, 2);
    const after = drafts.propose(2)!.rates;
    expect(after[0]).toBeGreaterThan(before[0]!);
    expect(after[1]).toBeLessThan(before[1]!);
    // Three rows a length.
    expect(table.rate(3 * 2)).toBeGreaterThan(0.5);
    expect(table.rate(3 * 3)).toBeLessThan(0.5);
    expect(table.rate(3 * 2 + 1)).toBe(0.5);
  });
});

/** Length of the longest suffix that stands in the text before its end. */
function longestMatch(written: Int32Array): number {
  let length = 0;
  while (placesAfter(written, length + 1).length > 0) length++;
  return length;
}

/** Places after each earlier occurrence of the last `length` ids. */
function placesAfter(written: Int32Array, length: number): number[] {
  const end = written.length;
  const last = written.slice(end - length).join();
  const places = Array.from({ length: Math.max(end - length, 0) }, (_, i) => i + length);
  return places.filter((place) => place < end && written.slice(place - length, place).join() === last);
}

describe('a predicted text', () => {
  const follow = (predicted: string, written: string) => {
    const own = new PredictedText(ids(predicted));
    own.push(ids(written));
    return own;
  };
  const rest = (predicted: string, written: string) => text(follow(predicted, written).next(100));

  it('is followed while it is written', () => {
    expect(rest('return a + b;', '')).toBe('return a + b;');
    expect(rest('return a + b;', 'return a')).toBe(' + b;');
    expect(rest('return a + b;', 'return a + b;')).toBe('');
  });

  it('takes another id for one in the same place, until something matches', () => {
    expect(rest('f(x) + g(y)', 'f(z')).toBe(') + g(y)');
  });

  it('goes on after what was replaced, left out or put in', () => {
    expect(rest('one();\ntwo();\nthree();\n', 'one();\n2();\nth')).toBe('ree();\n');
    expect(rest('one();\ntwo();\nthree();\n', 'one();\nth')).toBe('ree();\n');
    expect(rest('one();\ntwo();\nthree();\n', 'one();\nmore();\ntw')).toBe('o();\nthree();\n');
  });

  it('goes to the longest match, and of equals to the nearest after the old place', () => {
    // After the third line it is at the fourth `x = f(`.
    expect(rest('x = f(1)\nx = f(2)\nx = f(3)\nx = f(4)\n', 'x = f(1)\nx = f(2)\nx = f(9)\nx = f(')).toBe('4)\n');
    expect(rest('ab1 cab2 ', 'ab1 cab2 cab')).toBe('2 ');
  });

  it('may be left and found again, and counts each id once', () => {
    const own = follow('abcdef', 'abcdef abcdef');
    expect([own.accepted, own.rejected]).toEqual([6, 0]);
    expect(follow('abcdef', 'xyz').accepted).toBe(0);
    const part = follow('abcdef', 'abXdef');
    expect([part.accepted, part.rejected]).toEqual([5, 1]);
  });

  it('drafts more the longer it holds, and less after a miss', () => {
    const predicted = Array.from({ length: 200 }, (_, i) => 33 + (Math.imul(i, 2654435761) >>> 25));
    const source = new PredictionDrafts(Int32Array.from(predicted), learnedTable());
    const counts: number[] = [];
    let at = 0;
    const forward = (right: boolean) => {
      const { count } = worthChecking(core, alone, source.propose(31)!.rates);
      counts.push(count);
      const held = right ? count : 0;
      source.observe(held, Math.min(held + 1, count));
      // One id comes after those that held.
      const next = predicted.slice(at, at + held + 1);
      if (!right) next[held] = 1000;
      source.push(Int32Array.from(next));
      at += held + 1;
    };
    for (let i = 0; i < 6; i++) forward(true);
    expect(counts[5]).toBeGreaterThan(counts[0]!);
    forward(false);
    forward(true);
    expect(counts[7]).toBeLessThan(counts[6]!);
  });
});

/** A forward costs the same however wide, nearly. */
const flat = curve([1, 1], [64, 1.6]);
const learnedTable = () =>
  new AcceptanceTable(Array.from({ length: 17 }, (_, run) => Math.min(0.5 + run * 0.06, 0.98)));

describe('what drafts are worth', () => {
  it('by hand: tokens of the batch for its cost', () => {
    // Alone: 1 token for 1, or 1.5 for 1.12.
    expect(worthChecking(core, alone, [0.5])).toEqual({ count: 1, ratio: 1.5 / 1.12, allHold: 0.5 });
    // Three others with a row each: 4 tokens for 1.45, or 4.5 for 1.6875. Their ratio falls, so it is not worth it.
    expect(worthChecking(core, { rows: 3, tokens: 3 }, [0.5]).count).toBe(0);
    expect(worthChecking(core, { rows: 3, tokens: 3 }, [0.9])).toEqual({ count: 1, ratio: 4.9 / 1.6875, allHold: 0.9 });
  });

  it('drafts alone, and not in a full batch', () => {
    const rates = [0.8, 0.85, 0.9, 0.9];
    const counts = [0, 1, 3, 7, 15].map((rows) => worthChecking(core, { rows, tokens: rows }, rates).count);
    expect(counts[0]).toBeGreaterThan(1);
    expect(counts.at(-1)).toBe(0);
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
  });

  it('takes all drafts where rows cost nothing, and none that never hold', () => {
    const free = curve([1, 1], [64, 1]);
    expect(worthChecking(free, alone, new Array(31).fill(0.9)).count).toBe(31);
    expect(worthChecking(free, alone, new Array(31).fill(0)).count).toBe(0);
    expect(worthChecking(core, alone, []).count).toBe(0);
  });

  it('never chooses what makes fewer tokens for its cost than no draft', () => {
    for (let seed = 0; seed < 200; seed++) {
      const rates = Array.from({ length: 12 }, (_, i) => uniform(seed, i));
      const rows = Math.floor(uniform(seed, 50) * 12);
      const load = { rows, tokens: Math.floor(uniform(seed, 51) * (rows + 1)) };
      const none = worthChecking(core, load, []);
      const best = worthChecking(core, load, rates);
      expect(best.ratio).toBeGreaterThanOrEqual(none.ratio);
      expect(best.count > 0).toBe(best.ratio > none.ratio);
    }
  });

  it('predicts masks after drafts only where all is likely to hold', () => {
    const free = curve([1, 1], [64, 1.05]);
    const sure = worthChecking(free, alone, [0.99, 0.99]);
    expect(worthPredicting(free, alone, sure, 0.9, 8)).toBeGreaterThan(3);
    expect(worthPredicting(free, alone, { ...sure, allHold: 0.01 }, 0.9, 8)).toBe(0);
    expect(worthPredicting(core, alone, sure, 0.1, 8)).toBe(0);
  });
});

describe('costs', () => {
  it('follow the forwards that are timed, each row by the same', () => {
    const costs = new MeasuredCosts(core);
    for (let i = 0; i < 200; i++) {
      costs.observe(1, 10);
      costs.observe(2, 12.4);
      costs.observe(4, 18.1);
    }
    // Rows beside the first cost 0.12 more than was measured at load.
    expect(costs.costs[1]).toBeCloseTo(1.24, 2);
    expect(costs.costs[2]).toBeCloseTo(1.81, 2);
    expect(costs.costs[0]).toBe(1);
  });

  it('stay as they were loaded where the clock stands still, or is too coarse', () => {
    for (const ms of [0, 0.4]) {
      const costs = new MeasuredCosts(core);
      for (let i = 0; i < 100; i++) {
        costs.observe(1, ms);
        costs.observe(4, ms * 3);
      }
      expect(costs.costs).toEqual(core.costs);
    }
  });

  it('bear a pause of the host, and nonsense', () => {
    const costs = new MeasuredCosts(core);
    for (let i = 0; i < 50; i++) {
      costs.observe(1, 10);
      costs.observe(4, 14.5);
    }
    costs.observe(4, 5000);
    expect(costs.costs[2]).toBeLessThan(1.6);
    for (let i = 0; i < 1000; i++) costs.observe(4, 1);
    expect(costs.costs[2]).toBeGreaterThan(1.1);
    for (let i = 0; i < 1000; i++) costs.observe(4, 5000);
    expect(costs.costs[2]).toBeLessThan(3);
  });
});

describe('rates', () => {
  it("a request's begins with its engine's, which learns from it", () => {
    const engine = new Acceptance(0.5);
    const first = new Acceptance(engine);
    expect(first.rate).toBe(0.5);
    for (let i = 0; i < 40; i++) first.observe(1, 1);
    expect(first.rate).toBeGreaterThan(0.9);
    expect(engine.rate).toBeGreaterThan(0.8);
    const second = new Acceptance(engine);
    expect(second.rate).toBe(engine.rate);
    second.observe(0, 8);
    expect(second.rate).toBeLessThan(first.rate);
  });

  it('counts offered and held by source', () => {
    const counts = new DraftCounts();
    counts.add(['lookup', 'lookup', 'lookup'], 2);
    counts.add(['mask'], 1);
    counts.add([], 0);
    expect(counts.all).toEqual({ lookup: { offered: 3, held: 2 }, mask: { offered: 1, held: 1 } });
  });
});

describe('drafts of one text', () => {
  const canvasOf = (written: string) => {
    const canvas = new Canvas(40, fakeConfig);
    const predictions = (of: number) => ({
      ids: Int32Array.of(of),
      probs: Float32Array.of(0.5),
      entropies: Float32Array.of(0),
    });
    for (const [offset, id] of ids(written).entries()) canvas.write(offset, predictions(id), 0);
    canvas.takeStep(0);
    return canvas;
  };
  /** Proposes always the same, at a rate. */
  const drafter = (says: Int32Array, rate: number): Drafter & { seen: string; told: number[][] } => ({
    source: 'lookup',
    seen: '',
    told: [],
    push(more) {
      this.seen += text(more);
    },
    propose: (most) => ({ ids: says.slice(0, most), rates: Array.from(says.slice(0, most), () => rate) }),
    observe(held, offered) {
      this.told.push([held, offered]);
    },
  });

  it('shows a drafter the final text, writes what pays, and tells it what held', () => {
    const own = drafter(ids('xyz'), 0.9);
    const drafts = new Drafts(new MeasuredCosts(core), [own], null, 16);
    const canvas = canvasOf('ab');
    drafts.draft(canvas, 2, 30, alone);
    expect(own.seen).toBe('ab');
    expect(text(canvas.slice(2, 5))).toBe('xyz');
    expect([canvas.source(2), canvas.source(1)]).toEqual(['lookup', 'mask']);
    expect(drafts.end(5)).toBe(6);
    drafts.observe(1, 2);
    expect(own.told).toEqual([[1, 2]]);
  });

  it('offers nothing past the room, and no EOS and no mask', () => {
    for (const [says, room, count] of [
      [ids('xyz'), 2, 2],
      [ids('xyz'), 0, 0],
      [Int32Array.of(120, EOS, 121), 30, 1],
      [Int32Array.of(120, 121, MASK), 30, 2],
      [Int32Array.of(EOS), 30, 0],
    ] as const) {
      const canvas = canvasOf('ab');
      new Drafts(new MeasuredCosts(core), [drafter(says, 0.99)], null, 16).draft(canvas, 2, room, alone);
      expect(canvas.filled(2) - 2).toBe(count);
    }
  });

  it('checks what does not pay now and then, only where it could', () => {
    const offers = (costs: CostCurve) => {
      const own = drafter(ids('x'), 0.01);
      const drafts = new Drafts(new MeasuredCosts(costs), [own], null, 16);
      let offered = 0;
      for (let i = 0; i < 256; i++) {
        const canvas = canvasOf('ab');
        drafts.draft(canvas, 2, 30, alone);
        offered += canvas.filled(2) - 2;
      }
      return offered;
    };
    expect(offers(core)).toBe(4);
    expect(offers(curve([1, 1], [16, 16]))).toBe(0);
  });

  it('tells of a draft from elsewhere only once it is checked', () => {
    const canvas = canvasOf('ab');
    canvas.propose(2, ids('xy'), 'lookup');
    const row = (id: number) => ({
      ids: Int32Array.of(id),
      probs: Float32Array.of(0.25),
      entropies: Float32Array.of(0),
    });
    canvas.judge(2, row(120), 0);
    canvas.clear(4);
    canvas.write(3, row(65), 0);
    const step = canvas.takeStep(0);
    expect([...step.positions]).toEqual([2, 3]);
    expect([...step.probs]).toEqual([0.25, 0.25]);
    expect([step.revised.length, step.remasked.length]).toEqual([0, 0]);
    canvas.propose(4, ids('zz'), 'lookup');
    canvas.clear(4);
    expect(canvas.takeStep(0)).toMatchObject({ positions: new Int32Array(), remasked: new Int32Array() });
  });

  it("says that a mask's draft was replaced by another one, or given up", () => {
    const canvas = canvasOf('abc');
    canvas.clear(2);
    canvas.propose(2, ids('x'), 'prediction');
    canvas.judge(2, { ids: ids('x'), probs: Float32Array.of(0.5), entropies: Float32Array.of(0) }, 0);
    expect(canvas.takeStep(0)).toMatchObject({ positions: Int32Array.of(2), revised: Int32Array.of(2) });
    canvas.clear(2);
    expect(canvas.takeStep(0)).toMatchObject({ positions: new Int32Array(), remasked: Int32Array.of(2) });
  });
});

describe('masks', () => {
  it('are judged by the drafts that they gave', () => {
    const engine = new MaskAcceptance();
    const masks = new MaskDrafts(flat, engine, 8);
    const canvas = new Canvas(40, fakeConfig);
    const none = worthChecking(flat, alone, []);
    const before = masks.window(alone, none, 64);
    for (let i = 0; i < 60; i++) {
      // They gave nothing that could be checked.
      masks.settle(true, canvas, 1, 0);
      masks.window(alone, none, 64);
    }
    expect(engine.afterText.rate).toBeLessThan(0.3);
    expect(engine.afterDrafts.rate).toBe(0.5);
    expect(masks.window(alone, none, 64)).toBeLessThan(before);
  });

  it('are not judged where a draft before them was wrong', () => {
    const engine = new MaskAcceptance();
    const masks = new MaskDrafts(flat, engine, 8);
    const canvas = new Canvas(40, fakeConfig);
    for (let i = 0; i < 20; i++) {
      masks.window(alone, worthChecking(flat, alone, []), 64);
      masks.settle(false, canvas, 1, 0);
    }
    expect(engine.afterText.rate).toBe(0.5);
  });

  it('stay within the room', () => {
    const masks = new MaskDrafts(curve([1, 1], [64, 1]), new MaskAcceptance(), 16);
    const none = worthChecking(core, alone, []);
    expect(masks.window(alone, none, 64)).toBeGreaterThan(3);
    expect(masks.window(alone, none, 3)).toBe(3);
    expect(masks.window(alone, none, 1)).toBe(1);
  });
});
