import { applyPatch } from 'diff';
import { describe, expect, it } from 'vitest';
import { unifiedDiff } from '../../../src/engine/editing/diff.ts';
import { DEFAULT_EDITING, type EditingSettings, type EditRequest } from '../../../src/engine/editing/edit-request.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { EngineEvent } from '../../../src/engine/job.ts';
import { RequestError } from '../../../src/engine/request.ts';
import { ByteTokenizer, EOS } from '../../support/engines/byte-tokenizer.ts';
import { FakeModel, type FakeModelOptions } from '../../support/engines/fake-model.ts';
import { KnowingModel } from '../../support/engines/knowing-model.ts';
import { LIMITS } from '../requests.ts';

/** Every three characters of it occur once. */
const TEXT = 'const quick = brown(fox);\njumps[over] += lazy * dog;\nif (went) return home;\n';
const SETTINGS: EditingSettings = { ...DEFAULT_EDITING, tauSuspect: 0.01, tauMask: 0.01, tauRatio: 0.5 };

type Overrides = Partial<Omit<EditRequest, 'settings'>> & { settings?: Partial<EditingSettings> };

function request(code: string, { settings, ...rest }: Overrides = {}): EditRequest {
  return {
    kind: 'edit',
    code,
    instruction: null,
    filename: null,
    region: null,
    ...rest,
    settings: { ...SETTINGS, ...settings },
  };
}

function setUp(options: FakeModelOptions = {}, text = TEXT) {
  const model = new KnowingModel(text, options);
  return { model, engine: new Engine(model, new ByteTokenizer(), LIMITS) };
}

async function collect(events: AsyncIterable<EngineEvent>) {
  const all: EngineEvent[] = [];
  for await (const event of events) all.push(event);
  const done = all.at(-1);
  if (done === undefined || !('result' in done)) throw new Error('no result at the end');
  const { promptTokens, completionTokens } = done.usage;
  const { nfe, positionForwards, decodeMs: ms } = done.cost;
  return { all, ...done.result, usage: { promptTokens, completionTokens }, cost: { nfe, positionForwards, ms } };
}

async function edit(code: string, overrides: Overrides = {}, options: FakeModelOptions = {}) {
  const { model, engine } = setUp(options);
  const result = await collect((await engine.admit(request(code, overrides))).run());
  expect(model.openCaches).toEqual([]);
  expect(engine.queue.running).toBe(0);
  return { ...result, model };
}

/** The code with the edits that a result lists: what a client would do. */
function applied(code: string, edits: readonly { start: number; end: number; oldText: string; newText: string }[]) {
  let text = code;
  for (const { start, end, oldText, newText } of edits.toReversed()) {
    expect(text.slice(start, end)).toBe(oldText);
    text = text.slice(0, start) + newText + text.slice(end);
  }
  return text;
}

/** Positions at which an edit has a few tokens after it to be judged by. */
const places = Array.from({ length: TEXT.length - 6 }, (_, at) => at);
const corruptions: [string, (at: number) => string][] = [
  ['a wrong token', (at) => `${TEXT.slice(0, at)}~${TEXT.slice(at + 1)}`],
  ['two wrong tokens', (at) => `${TEXT.slice(0, at)}~^${TEXT.slice(at + 2)}`],
  ['a token too many', (at) => `${TEXT.slice(0, at)}~${TEXT.slice(at)}`],
  ['two tokens too many', (at) => `${TEXT.slice(0, at)}~^${TEXT.slice(at)}`],
  ['a missing token', (at) => TEXT.slice(0, at) + TEXT.slice(at + 1)],
  ['three missing tokens', (at) => TEXT.slice(0, at) + TEXT.slice(at + 3)],
];

describe('editing', () => {
  it.each(corruptions)('mends %s, wherever it is', async (_, corrupt) => {
    for (const at of places) {
      const code = corrupt(at);
      const { text, edits, diff, complete } = await edit(code);
      expect(text).toBe(TEXT);
      expect(applied(code, edits)).toBe(TEXT);
      expect(edits.length).toBe(1);
      expect(applyPatch(code, diff)).toBe(TEXT);
      expect(complete).toBe(true);
    }
  });

  it('says what it did, as small as can be', async () => {
    const code = TEXT.replace('brown', 'br~wn');
    const { edits, spans, all, diff, usage, cost, passes } = await edit(code);
    const at = code.indexOf('~');
    expect(edits).toEqual([
      {
        start: at,
        end: at + 1,
        oldText: '~',
        newText: 'o',
        confidence: expect.closeTo(0.99, 5),
        gain: expect.any(Number),
      },
    ]);
    expect(edits[0]!.gain).toBeGreaterThan(8);
    expect(diff).toBe(
      `--- a/code\n+++ b/code\n@@ -1,3 +1,3 @@\n-const quick = br~wn(fox);\n+${TEXT.split('\n').join('\n ').trimEnd()}\n`,
    );
    expect(all.map((event) => event.type)).toEqual(['span', 'edit', 'done']);
    expect(all[0]).toEqual({ type: 'span', span: spans[0] });
    expect(all[1]).toEqual({ type: 'edit', edit: edits[0] });
    expect(spans[0]).toMatchObject({ pass: 1, start: at, end: at + 3, text: '~wn', accepted: true, best: edits[0] });
    expect(spans[0]!.causalProb).toBeCloseTo(0.01 / 257, 8);
    expect(spans[0]!.leaveOneOutProb).toBeCloseTo(0.98 / 257, 8);
    expect(passes).toBe(2);
    expect(usage).toEqual({ promptTokens: TEXT.length, completionTokens: 1 });
    expect(cost.nfe).toBeGreaterThan(0);
    expect(cost.positionForwards).toBeGreaterThan(cost.nfe);
    expect(cost.ms).toBeGreaterThan(0);
  });

  describe('C6: code with line breaks of its own', () => {
    /** The known text, with these line breaks one after another. */
    const breaking = (text: string, breaks: readonly string[]) => {
      let line = 0;
      return text.replaceAll('\n', () => breaks[line++ % breaks.length]!);
    };
    it.each([
      ['CRLF', ['\r\n']],
      ['CR', ['\r']],
      ['CRLF, then LF', ['\r\n', '\n']],
      ['LF, then CRLF', ['\n', '\r\n']],
      ['CR, then CRLF', ['\r', '\r\n']],
    ])('%s: every other character stays, and offsets are those of the code', async (_name, breaks) => {
      const right = breaking(TEXT, breaks);
      for (const [wrong, correct] of [
        ['br~wn', 'brown'],
        ['~umps', 'jumps'],
        ['^$ (went)', 'if (went)'],
        ['hom~', 'home'],
      ] as const) {
        const code = right.replace(correct, wrong);
        const { text, edits, spans, diff, usage } = await edit(code);
        expect(text).toBe(right);
        expect(applied(code, edits)).toBe(right);
        for (const { start, end, text: old } of spans) expect(code.slice(start, end)).toBe(old);
        expect(applyPatch(code, diff, { autoConvertLineEndings: false })).toBe(right);
        expect(usage.promptTokens).toBe(code.replace(/\r\n/g, '\n').length);
      }
    });

    it.each([
      ['CRLF', '\r\n'],
      ['CR', '\r'],
    ])('a missing line break is written as %s', async (_name, lineBreak) => {
      const right = breaking(TEXT, [lineBreak]);
      const code = right.replace(`dog;${lineBreak}`, 'dog;');
      const { text, edits } = await edit(code);
      expect(text).toBe(right);
      expect(applied(code, edits)).toBe(right);
    });

    it('a region begins and ends in units of the code', async () => {
      const right = breaking(TEXT, ['\r\n']);
      const code = right.replace('brown', 'br~wn').replace('lazy', 'l~zy');
      const region = { start: code.indexOf('jumps'), end: code.indexOf('if') };
      expect((await edit(code, { region })).text).toBe(right.replace('brown', 'br~wn'));
    });

    it('code that is right stays, mixed line breaks too', async () => {
      for (const breaks of [['\r\n'], ['\r'], ['\n', '\r\n', '\r']]) {
        const code = breaking(TEXT, breaks);
        const { text, edits, diff } = await edit(code);
        expect([text, edits, diff]).toEqual([code, [], '']);
      }
    });
  });

  it('leaves a text alone that it expects', async () => {
    const { text, diff, edits, spans, all, passes, model } = await edit(TEXT);
    expect(text).toBe(TEXT);
    expect([diff, edits, spans, passes]).toEqual(['', [], [], 1]);
    expect(all.length).toBe(1);
    expect(model.forwards.length).toBe(Math.ceil(TEXT.length / 64));
  });

  it('leaves a text alone in which it is lost: nothing else is more probable', async () => {
    const strange = '#!/usr/bin/awk -f\n{ print $2 }\n';
    const { text, edits, spans } = await edit(strange);
    expect([text, edits]).toEqual([strange, []]);
    expect(spans.length).toBeGreaterThan(0);
    expect(spans.every((span) => !span.accepted)).toBe(true);
  });

  it('mends several places from left to right, and what lies between stays', async () => {
    const code = TEXT.replace('quick', 'qu~ck').replace('over', 'ver').replace('home', 'ho^me');
    const { text, edits, all, spans } = await edit(code);
    expect(text).toBe(TEXT);
    expect(spans.flatMap(({ accepted, pass }) => (accepted ? [pass] : []))).toEqual([1, 1, 1]);
    expect(edits.map(({ oldText, newText }) => [oldText, newText])).toEqual([
      ['~', 'i'],
      ['', 'o'],
      ['^', ''],
    ]);
    expect(applied(code, edits)).toBe(TEXT);
    const made = all.flatMap((event) => (event.type === 'edit' ? [event.edit] : []));
    expect(made).toEqual(edits);
  });

  it('keeps characters of several tokens whole, and offsets count UTF-16 units', async () => {
    const known = 'é漢😀 = "x";\nlet y: z - 1;\n';
    const code = known.replace('let', 'l~t');
    const { model, engine } = setUp({}, known);
    const { text, edits } = await collect((await engine.admit(request(code))).run());
    expect(text).toBe(known);
    expect(edits.map(({ start, end }) => [start, end])).toEqual([[code.indexOf('~'), code.indexOf('~') + 1]]);
    // Half of the first character wrong: no edit could put it right without touching the other half.
    const broken = await collect((await engine.admit(request(known.replace('é', 'è')))).run());
    expect(broken.text).toBe(known.replace('é', 'è'));
    expect(broken.text.isWellFormed()).toBe(true);
    expect(model.openCaches).toEqual([]);
  });

  it('never writes a special token, nor half a character', async () => {
    // The model would end the text there, with a token that this tokenizer can spell.
    class Spelled extends ByteTokenizer {
      override bytes(id: number) {
        return id === EOS ? new TextEncoder().encode('<eos>') : super.bytes(id);
      }
    }
    const settings = { rightMargin: 0, deletionMargin: 1000, margin: 0 };
    const model = new KnowingModel(TEXT);
    const engine = new Engine(model, new Spelled(), LIMITS);
    const ended = await collect((await engine.admit(request(`${TEXT}~`, { settings }))).run());
    expect([ended.text, ended.spans.length]).toEqual([`${TEXT}~`, 1]);

    const accented = TEXT.replace('brown', 'brówn');
    const plain = setUp({}, accented);
    const { text, spans } = await collect((await plain.engine.admit(request(TEXT))).run());
    expect(text).toBe(TEXT);
    expect(spans.length).toBeGreaterThan(0);
  });
});

describe('a region', () => {
  const code = TEXT.replace('quick', 'qu~ck').replace('home', 'h~me');
  const lines = code.split('\n');
  const third = { start: lines[0]!.length + lines[1]!.length + 2, end: code.length };

  it('bounds the edits', async () => {
    const { text, edits } = await edit(code, { region: third });
    expect(text).toBe(code.replace('h~me', 'home'));
    expect(edits.length).toBe(1);
    expect((await edit(code, { region: { start: 0, end: lines[0]!.length } })).text).toBe(
      code.replace('qu~ck', 'quick'),
    );
  });

  it('is all that is looked at', async () => {
    const { model } = await edit(TEXT, { region: { start: 4, end: 20 } });
    // A start token and four tokens before the first that is judged, then one before each of 16.
    expect(model.forwards.map(({ ids }) => ids.length)).toEqual([4, 16]);
  });

  it.each([0, 1, 2])('that begins %i tokens into what is wrong leaves what is before it', async (inside) => {
    const wrong = TEXT.replace('lazy', 'la~^');
    const start = wrong.indexOf('~') + inside;
    const { text } = await edit(wrong, { region: { start, end: wrong.length } });
    expect(text.slice(0, start)).toBe(wrong.slice(0, start));
    if (inside === 0) expect(text).not.toBe(wrong);
  });

  it('of nothing changes nothing, without a forward', async () => {
    const { text, model } = await edit(code, { region: { start: 12, end: 12 } });
    expect([text, model.forwards]).toEqual([code, []]);
  });

  it.each([
    [-1, 3],
    [4, 3],
    [0, code.length + 1],
    [0.5, 3],
    [Number.NaN, 3],
  ])('from %d to %d is refused', async (start, end) => {
    const { engine } = setUp();
    await expect(engine.admit(request(code, { region: { start, end } }))).rejects.toThrow(/'region' must be whole/);
  });
});

describe('an instruction', () => {
  it.each([
    [null, '// mend it\n// please\n'],
    ['a.py', '# mend it\n# please\n'],
    ['a.sql', '-- mend it\n-- please\n'],
    ['a.html', '<!-- mend it -->\n<!-- please -->\n'],
  ])('is a comment before the code, and no part of the result: %s', async (filename, context) => {
    const code = TEXT.replace('brown', 'br~wn');
    const { text, usage, model } = await edit(code, { instruction: 'mend it\nplease', filename });
    expect(text).toBe(TEXT);
    expect(usage.promptTokens).toBe(context.length + code.length);
    const [first, second] = model.forwards;
    expect(String.fromCharCode(...first!.ids.slice(1), second!.ids[0]!)).toBe(context);
  });
});

describe('passes', () => {
  it('are as many as are asked for at most, even when each finds something to do', async () => {
    for (const passes of [1, 2, 3, 5]) {
      const { model, engine } = setUp();
      const admitted = await engine.admit(request(TEXT.replace('brown', 'br~wn'), { settings: { passes } }));
      let edits = 0;
      let result: EngineEvent | undefined;
      for await (const event of admitted.run()) {
        // A model that changes its mind about the word after each edit.
        if (event.type === 'edit') model.know(++edits % 2 === 1 ? TEXT.replace('wn(', 'WN(') : TEXT);
        result = event;
      }
      expect(edits).toBe(passes);
      expect(result).toMatchObject({ type: 'done', result: { passes } });
    }
  });

  it('begin a block before the first edit of the one before', async () => {
    const code = TEXT.replace('home', 'h~me');
    const once = await edit(code, { settings: { passes: 1 } });
    const twice = await edit(code, { settings: { passes: 2 } });
    // Token 0 is the start token.
    const looked = code.length + 1 - (1 + code.indexOf('~') - SETTINGS.blockLength);
    expect(twice.cost.positionForwards - once.cost.positionForwards).toBe(looked);
  });

  it('merge into one edit what they did to one place, and leave out what they took back', async () => {
    const upper = TEXT.replace('wn(', 'WN(');
    const { model, engine } = setUp({}, upper);
    const admitted = await engine.admit(request(TEXT, { settings: { passes: 2 } }));
    const all: EngineEvent[] = [];
    for await (const event of admitted.run()) {
      if (event.type === 'edit') model.know(TEXT);
      all.push(event);
    }
    const done = all.at(-1);
    expect(all.filter((event) => event.type === 'edit').length).toBe(2);
    expect(done).toMatchObject({ type: 'done', result: { text: TEXT, diff: '', edits: [], passes: 2 } });
  });
});

describe('maxForwards', () => {
  it('bounds the forwards; the edits until then are the result', async () => {
    const code = TEXT.replace('quick', 'qu~ck').replace('home', 'h~me');
    const { cost } = await edit(code);
    const texts = new Set<string>();
    for (let most = 1; most <= cost.nfe; most++) {
      const result = await edit(code, { settings: { maxForwards: most } });
      expect(result.cost.nfe).toBe(most);
      expect(result.model.forwards.length).toBe(most);
      expect(result.complete).toBe(most === cost.nfe);
      texts.add(result.text);
    }
    expect([...texts]).toEqual([code, code.replace('qu~ck', 'quick'), TEXT]);
  });
});

describe('requests that are refused', () => {
  const refused = async (code: string, options: FakeModelOptions = {}) => {
    const { engine, model } = setUp(options);
    const error = await engine.admit(request(code)).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(RequestError);
    expect(model.caches).toEqual([]);
    return error as RequestError;
  };

  it('are those longer than the context, in the words of the limit', async () => {
    const error = await refused('x'.repeat(65), { poolTokens: 65 });
    expect([error.code, error.param]).toEqual(['context_length_exceeded', 'code']);
    expect(error.message).toContain('at most 64 tokens');
    expect(error.message).toContain('have 65');
    expect((await refused('x'.repeat(40), { config: { contextLength: 40 } })).code).toBe('context_length_exceeded');
  });

  it('are not those that just fit, though nothing can be put in', async () => {
    const wrong = TEXT.replace('brown', 'br~wn');
    expect((await edit(wrong, {}, { poolTokens: TEXT.length + 1 })).text).toBe(TEXT);
    const missing = TEXT.replace('brown', 'brwn');
    expect((await edit(missing, {}, { poolTokens: missing.length + 1 })).text).toBe(missing);
    expect((await edit(missing, {}, { poolTokens: missing.length + 2 })).text).toBe(TEXT);
  });

  it('are empty ones, half surrogate pairs, and texts that tokens do not spell', async () => {
    expect((await refused('')).code).toBe('invalid_value');
    expect((await refused('let x = "\ud83d";')).message).toContain('half a surrogate pair');
    class WithSpecial extends ByteTokenizer {
      override encode(text: string) {
        const [before = '', after = ''] = text.split('<eos>');
        return Int32Array.of(...super.encode(before), EOS, ...super.encode(after));
      }
    }
    const engine = new Engine(new FakeModel(), new WithSpecial(), LIMITS);
    await expect(engine.admit(request('a<eos>b'))).rejects.toThrow('special token');
  });

  it.each([{ logitShift: false }, { contextAttention: 'block_causal' as const }])(
    'are those to a model with %o',
    async (config) => {
      expect((await refused(TEXT, { config })).code).toBe('unsupported_model');
    },
  );
});

describe('memory', () => {
  const code = TEXT.replace('quick', 'qu~ck').replace('home', 'hme');
  const counts = async () => {
    const { all, model } = await edit(code);
    return { events: all.length, forwards: model.forwards.length };
  };

  it('is given back at whatever forward an abort comes, and the events end with its reason', async () => {
    const { forwards } = await counts();
    for (let at = 0; at < forwards - 1; at++) {
      const controller = new AbortController();
      const { model, engine } = setUp({
        onForward: (index) => {
          if (index === at) controller.abort(new Error('client gone'));
        },
      });
      const admitted = await engine.admit(request(code), controller.signal);
      await expect(collect(admitted.run(controller.signal))).rejects.toThrow('client gone');
      expect(model.forwards.length).toBe(at + 1);
      expect(model.openCaches).toEqual([]);
      expect(engine.queue.running).toBe(0);
    }
  });

  it('is given back at whatever forward the model fails', async () => {
    const { forwards } = await counts();
    for (let at = 0; at < forwards; at++) {
      const { model, engine } = setUp({
        onForward: (index) => {
          if (index === at) throw new Error('model broke');
        },
      });
      await expect(collect((await engine.admit(request(code))).run())).rejects.toThrow('model broke');
      expect(model.openCaches).toEqual([]);
      expect(engine.queue.running).toBe(0);
    }
  });

  it('is given back at whatever event a consumer leaves', async () => {
    const { events } = await counts();
    for (let at = 0; at < events; at++) {
      const { model, engine } = setUp();
      let seen = 0;
      for await (const _ of (await engine.admit(request(code))).run()) if (seen++ === at) break;
      expect(model.openCaches).toEqual([]);
      expect(engine.queue.running).toBe(0);
    }
  });

  it('is given back by release, before run, after it, and twice; and it runs once', async () => {
    const { model, engine } = setUp();
    const idle = await engine.admit(request(code));
    expect(model.openCaches.length).toBe(1);
    await idle.release();
    await idle.release();
    expect(model.openCaches).toEqual([]);
    expect(() => idle.run()).toThrow('runs once');
    const returned = await engine.admit(request(code));
    await returned.run().return();
    expect(model.openCaches).toEqual([]);
    const used = await engine.admit(request(code));
    await collect(used.run());
    await used.release();
    expect(() => used.run()).toThrow('runs once');
    expect(engine.queue.running).toBe(0);
  });

  it('is waited for while others have it', async () => {
    const { model, engine } = setUp({ poolTokens: 150 });
    const first = await engine.admit(request(code));
    const second = engine.admit(request(code));
    expect(engine.queue.waiting).toBe(1);
    await first.release();
    expect((await collect((await second).run())).text).toBe(TEXT);
    expect(model.openCaches).toEqual([]);
  });

  it('is refused on an abort that came first', async () => {
    const { model, engine } = setUp();
    await expect(engine.admit(request(code), AbortSignal.abort(new Error('early')))).rejects.toThrow('early');
    expect(model.caches).toEqual([]);
  });
});

describe('unified diff', () => {
  it.each([
    ['a\nb\nc\n', 'a\nB\nc\n'],
    ['a\nb', 'a\nb\n'],
    ['a\r\nb\r\n', 'a\r\nc\r\n'],
    ['x', ''],
  ])('turns %j into %j', (before, after) => {
    const diff = unifiedDiff(before, after, 'code');
    expect(diff).toMatch(/^--- a\/code\n\+\+\+ b\/code\n@@ /);
    expect(applyPatch(before, diff)).toBe(after);
  });

  it('of equal texts is empty', () => {
    expect(unifiedDiff('a\n', 'a\n', 'code')).toBe('');
  });
});
