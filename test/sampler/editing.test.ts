import { describe, expect, it } from 'vitest';
import { accepts, deletionConfidence, type Evidence } from '../../src/sampler/editing/accept.ts';
import { EditForwards, ForwardsSpent } from '../../src/sampler/editing/edit-forwards.ts';
import { EditedTokens } from '../../src/sampler/editing/edited-tokens.ts';
import { fill } from '../../src/sampler/editing/fill.ts';
import { holes } from '../../src/sampler/editing/holes.ts';
import { commitUpTo, localise } from '../../src/sampler/editing/localise.ts';
import { propose } from '../../src/sampler/editing/propose.ts';
import { DEFAULT_EDITING, type EditingSettings } from '../../src/sampler/editing/settings.ts';
import { EOS, START } from '../support/engines/byte-tokenizer.ts';
import { FakeModel } from '../support/engines/fake-model.ts';
import { KnowingModel } from '../support/engines/knowing-model.ts';
import { loneLane } from '../support/engines/lone-lane.ts';

const TEXT = 'const quick = brown(fox);\njumps[over] += lazy * dog;\n';
const SETTINGS: EditingSettings = { ...DEFAULT_EDITING, tauSuspect: 0.01, tauMask: 0.01, tauRatio: 0.5 };
const bytes = (text: string) => Int32Array.from(new TextEncoder().encode(text));
const sequence = (text: string) => Int32Array.of(START, ...bytes(text));
const draftOf = (text: string) => new EditedTokens(sequence(text), () => true);
const textOf = (ids: Iterable<number>) => String.fromCharCode(...ids);
const usable = (id: number) => id < 256;

function forwardsOn(model: FakeModel, tokens: number, most = 1000) {
  return new EditForwards(loneLane(model, model.createCache(tokens)), most, new AbortController().signal);
}

describe('acceptance', () => {
  const settings = { ...SETTINGS, tauMask: 0.01, tauEdit: 0.8, rightMargin: 4, deletionMargin: 6, margin: 8 };
  const good: Evidence = { leaveOneOutProb: 0.002, written: 1, confidence: 0.93, rightGain: 5, gain: 12 };
  it.each<[string, Partial<Evidence>, boolean]>([
    ['all of it', {}, true],
    ['the old token is probable from both sides', { leaveOneOutProb: 0.01 }, false],
    ['the new tokens are not sure enough', { confidence: 0.8 }, false],
    ['what follows gains too little', { rightGain: 3.9 }, false],
    ['what follows gains just enough', { rightGain: 4 }, true],
    ['what follows loses, as with a name that occurs once', { rightGain: -2.4, gain: 9.2 }, false],
    ['the whole gains too little', { gain: 7.9 }, false],
    ['a deletion that would do for a replacement', { written: 0, rightGain: 5 }, false],
    ['a deletion with more behind it', { written: 0, rightGain: 6 }, true],
  ])('%s', (_, change, expected) => {
    expect(accepts({ ...good, ...change }, settings)).toBe(expected);
  });

  it('gives a deletion the share of the likelihoods of what follows', () => {
    expect(deletionConfidence(0)).toBe(0.5);
    // e^-2 without the deletion, e^-1 with it: e^-1 / (e^-1 + e^-2) = 0.7311.
    expect(deletionConfidence(1)).toBeCloseTo(0.7311, 4);
  });
});

describe('holes', () => {
  const masksOf = (length: number, room: number, start: number, end: number) =>
    holes(length, room).flatMap((hole) => (hole.start === start && hole.end === end ? [hole.masks] : []));

  it('are from two masks fewer to four more, and four before', () => {
    expect(masksOf(1, 9, 0, 1)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(masksOf(2, 9, 0, 2)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(masksOf(3, 9, 0, 3)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(masksOf(3, 9, 0, 0)).toEqual([1, 2, 3, 4]);
    expect(masksOf(3, 9, 1, 2)).toEqual([0, 1, 2]);
  });

  it('leave out what there is no room for', () => {
    expect(masksOf(1, 1, 0, 1)).toEqual([0, 1, 2]);
    expect(masksOf(2, 0, 0, 2)).toEqual([0, 1, 2]);
    expect(masksOf(2, 0, 0, 0)).toEqual([]);
    expect(masksOf(2, 0, 1, 2)).toEqual([0, 1]);
  });
});

describe('draft', () => {
  const draft = () => new EditedTokens(bytes('abcdef'), (index) => index !== 3);
  const edits = (of: EditedTokens) =>
    of.edits().map(({ start, end, ids, confidence, gain }) => [start, end, textOf(ids), confidence, gain]);

  it('knows what may be replaced: never the first, always what was written', () => {
    const text = draft();
    expect([0, 1, 2, 3, 4, 5, 6].map((at) => text.isEditable(at))).toEqual([
      false,
      true,
      true,
      false,
      true,
      true,
      false,
    ]);
    text.replace(4, 5, bytes('XY'), 0.9, 1);
    expect(textOf(text.slice(0, 99))).toBe('abcdXYf');
    expect([3, 4, 5, 6].map((at) => text.isEditable(at))).toEqual([false, true, true, true]);
  });

  it('tells edits apart, in order, as small as can be', () => {
    const text = draft();
    text.replace(4, 6, bytes('eX'), 0.9, 2);
    text.replace(1, 2, bytes(''), 0.8, 3);
    expect(textOf(text.slice(0, 99))).toBe('acdeX');
    expect(edits(text)).toEqual([
      [1, 2, '', 0.8, 3],
      [5, 6, 'X', 0.9, 2],
    ]);
  });

  it('makes one edit of those that touch: lowest confidence, all the gain', () => {
    const text = draft();
    text.replace(1, 2, bytes('XY'), 0.9, 2);
    text.replace(2, 4, bytes('Z'), 0.7, 3);
    expect(textOf(text.slice(0, 99))).toBe('aXZdef');
    expect(edits(text)).toEqual([[1, 3, 'XZ', 0.7, 5]]);
    expect(text.against(1, 2, bytes('W'))).toEqual({ start: 1, end: 3, ids: bytes('WZ') });
  });

  it('has no edit where one was taken back', () => {
    const text = draft();
    text.replace(1, 2, bytes('X'), 0.9, 2);
    text.replace(1, 2, bytes('b'), 0.9, -2);
    text.replace(2, 2, bytes('Y'), 0.9, 2);
    text.replace(2, 3, bytes(''), 0.9, -2);
    expect(textOf(text.slice(0, 99))).toBe('abcdef');
    expect(edits(text)).toEqual([]);
  });
});

describe('localisation', () => {
  const find = async (text: string, settings = SETTINGS, from = 1) => {
    const model = new KnowingModel(TEXT);
    const draft = draftOf(text);
    const forwards = forwardsOn(model, 200);
    return { model, forwards, spans: await localise(forwards, draft, from, draft.length, settings) };
  };
  const wrong = TEXT.replace('brown', 'brXwn');
  const at = 1 + wrong.indexOf('X');

  it('finds nothing in a text that the model expects, with one forward for each 64 tokens', async () => {
    const { spans, model } = await find(TEXT);
    expect(spans).toEqual([]);
    expect(model.forwards.map(({ kind, ids }) => [kind, ids.length])).toEqual([['commit', TEXT.length]]);
  });

  it('finds a wrong token, and those that it makes improbable, with both probabilities', async () => {
    const { spans } = await find(wrong);
    expect(spans.map(({ start, end }) => [start, end])).toEqual([
      [at, at + 3],
      [at + 3, at + 4],
    ]);
    const [suspect] = spans[0]!.suspects;
    // The fake leaves 1% to the 257 other ids.
    expect(suspect).toMatchObject({ at, visibleProb: null });
    expect(suspect!.bestProb).toBeCloseTo(0.99, 6);
    expect(suspect!.causalProb).toBeCloseTo(0.01 / 257, 8);
    expect(suspect!.leaveOneOutProb).toBeCloseTo(0.01 / 257, 8);
  });

  it('drops what is a surprise from the left and probable from both sides', async () => {
    // tauMask above what a lost model gives: only the token whose neighbours fit is confirmed.
    const { spans } = await find(wrong, { ...SETTINGS, tauMask: 0.001 });
    expect(spans.map(({ start, end }) => [start, end])).toEqual([[at, at + 1]]);
  });

  it('drops what is improbable where all else is too', async () => {
    // Where the fake is lost, its best guess has 0.02 and every other id 0.98 / 257, a share of 0.19.
    const { spans } = await find(wrong, { ...SETTINGS, tauRatio: 0.19 });
    expect(spans.map(({ start, end }) => [start, end])).toEqual([[at, at + 1]]);
    expect((await find(wrong, { ...SETTINGS, tauRatio: 0.2 })).spans.length).toBe(2);
  });

  it('looks at the token before a surprise, which may be what is wrong', async () => {
    class Credulous extends KnowingModel {
      override async commit(...[ids, cache, ask]: Parameters<KnowingModel['commit']>) {
        const predictions = await super.commit(ids, cache, ask);
        const { targetProbs } = predictions;
        for (const [row, target] of (ask.targets ?? []).entries())
          if (target === 88) targetProbs?.fill(0.5, row, row + 1);
        return predictions;
      }
    }
    const draft = draftOf(wrong);
    const [span] = await localise(forwardsOn(new Credulous(TEXT), 200), draft, 1, draft.length, SETTINGS);
    expect([span?.start, span?.suspects[0]?.causalProb]).toEqual([at, 0.5]);
  });

  it('looks from where it is told', async () => {
    expect((await find(wrong, SETTINGS, at + 4)).spans).toEqual([]);
    expect((await find(wrong, SETTINGS, at + 3)).spans.map(({ start }) => start)).toEqual([at + 3]);
  });

  it('can use the probability of a token in its block', async () => {
    const visible = { ...SETTINGS, tauSuspect: 0, tauMask: 0.001 };
    expect((await find(wrong, visible)).spans).toEqual([]);
    const { spans } = await find(wrong, { ...visible, tauVisible: 0.001 });
    expect(spans.map(({ start, end }) => [start, end])).toEqual([[at, at + 1]]);
    expect(spans[0]!.suspects[0]!.visibleProb).toBeCloseTo(0.01 / 257, 8);
  });
});

describe('filling', () => {
  const before = sequence('const qui').slice(-1);
  async function filled(masks: number, right: string, tauEdit = 0.8, can = usable) {
    const model = new KnowingModel(TEXT);
    const forwards = forwardsOn(model, 200);
    await forwards.append(sequence('const qui').slice(0, -1));
    const got = await fill(forwards, before, masks, bytes(right), can, { ...SETTINGS, tauEdit });
    return { text: got && textOf(got.ids), confidence: got?.confidence, nfe: forwards.nfe - 1 };
  }

  it('fills a hole of the right length at once, as all of it is sure', async () => {
    const { text, confidence, nfe } = await filled(5, 'brown(');
    expect([text, nfe]).toEqual(['ck = ', 1]);
    expect(confidence).toBeCloseTo(0.99, 5);
  });

  it('gives up a hole of the wrong length in the first forward', async () => {
    expect(await filled(3, 'brown(')).toEqual({ text: null, confidence: undefined, nfe: 1 });
  });

  it('takes the mean over all tokens, decided one at a time where they are unsure', async () => {
    const { text, confidence, nfe } = await filled(3, 'brown(', 0.25);
    expect([text, nfe]).toEqual(['ck ', 3]);
    expect(confidence).toBeGreaterThan(0.29);
    expect(confidence).toBeLessThan(0.6);
  });

  it('gives up at an id that may not stand in the text', async () => {
    expect((await filled(5, 'brown(', 0.8, (id) => id !== 61)).text).toBeNull();
    const model = new FakeModel({ next: () => EOS, confidence: () => 1 });
    expect(await fill(forwardsOn(model, 20), bytes('a'), 1, bytes('b'), usable, SETTINGS)).toBeNull();
  });
});

describe('proposals', () => {
  it('are ranked by likelihood, and leave the cache as it was', async () => {
    const wrong = TEXT.replace('brown', 'brXwn');
    const at = 1 + wrong.indexOf('X');
    const model = new KnowingModel(TEXT);
    const forwards = forwardsOn(model, 200);
    const draft = draftOf(wrong);
    const [span] = await localise(forwards, draft, 1, draft.length, { ...SETTINGS, tauMask: 0.001 });
    await commitUpTo(forwards, draft, at - 1);
    const candidates = await propose(forwards, draft, span!, 4, usable, SETTINGS);
    expect(forwards.committed).toBe(at - 1);
    expect(candidates.map(({ start, end, ids }) => [start, end, textOf(ids)])).toEqual([
      [at, at + 1, 'o'],
      [at, at + 1, ''],
    ]);
    const [best, deletion] = candidates;
    // New: nine tokens of 0.99. Old: 0.01 / 257, three of 0.98 / 257 where the model is lost, five of 0.99.
    expect(best!.gain).toBeCloseTo(4 * Math.log(0.99) - Math.log(0.01 / 257) - 3 * Math.log(0.98 / 257), 3);
    expect(best!.rightGain).toBeCloseTo(3 * Math.log(0.99) - 3 * Math.log(0.98 / 257), 3);
    expect(best!.confidence).toBeCloseTo(0.99, 5);
    expect(best!.leaveOneOutProb).toBeCloseTo(0.01 / 257, 8);
    expect(deletion!.confidence).toBe(deletionConfidence(deletion!.rightGain));
  });
});

describe('forwards', () => {
  it('are counted, and end at the limit before the model runs', async () => {
    const model = new FakeModel();
    const forwards = forwardsOn(model, 50, 2);
    await forwards.append(bytes('abc'));
    await forwards.judge(bytes('de'), bytes('ef'));
    expect([forwards.nfe, forwards.positionForwards, forwards.committed]).toEqual([2, 5, 5]);
    await expect(forwards.append(bytes('f'))).rejects.toThrow(ForwardsSpent);
    expect(model.forwards.length).toBe(2);
  });

  it('refuse a model that gives no probabilities of targets', async () => {
    class Silent extends FakeModel {
      override async commit(...args: Parameters<FakeModel['commit']>) {
        const { ids, probs, entropies } = await super.commit(...args);
        return { ids, probs, entropies };
      }
    }
    await expect(forwardsOn(new Silent(), 9).judge(bytes('a'), bytes('b'))).rejects.toThrow('left out');
  });
});
