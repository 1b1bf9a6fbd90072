import { describe, expect, it } from 'vitest';
import { START } from '../support/engines/byte-tokenizer.ts';
import { says } from '../support/engines/fake-model.ts';
import { collect, complete, request, saying, setUp } from './requests.ts';

describe('generate', () => {
  it('streams text as soon as nothing before it is undecided, up to the EOS', async () => {
    const { all, text, done } = await complete(saying(' = 1 + 2;\n'));
    const decided = new Set<number>();
    let streamed = 0;
    for (const event of all) {
      if (event.type === 'step') for (const position of event.positions) decided.add(position);
      if (event.type !== 'block') continue;
      expect(event.text).not.toBe('');
      for (let end = streamed + event.text.length; streamed < end; streamed++) expect(decided.has(streamed)).toBe(true);
    }
    expect(all.slice(0, 2).map((event) => event.type)).toEqual(['step', 'block']);
    expect(text).toBe(' = 1 + 2;\n');
    expect(done.finishReason).toBe('stop');
    expect(done.usage).toEqual({ promptTokens: 5, cachedTokens: 0, completionTokens: 10 });
  });

  it.each([1, 4, 7, 8, 16])('is exact about max_tokens at block length %i', async (blockLength) => {
    const text = 'abcdefghijklmnopqrstuvwxyz';
    for (const maxTokens of [1, 5, 8, 19]) {
      const { text: generated, done } = await complete(saying(text), { maxTokens, decoding: { blockLength } });
      expect(generated).toBe(text.slice(0, maxTokens));
      expect(done.finishReason).toBe('length');
      expect(done.usage.completionTokens).toBe(maxTokens);
    }
  });

  it('ends with stop when the EOS is the very first id', async () => {
    const { text, done } = await complete(saying(''));
    expect([text, done.finishReason, done.usage.completionTokens]).toEqual(['', 'stop', 0]);
    expect(done.cost).toMatchObject({ nfe: 0, positionForwards: 0 });
  });

  it('commits the start token for an empty prompt, and does not count it', async () => {
    const { model, engine } = setUp({ next: says('hi', 1) });
    const { text, done } = await collect(engine.generate(request({ prompt: '' })));
    expect(model.forwards[0]?.ids).toEqual([START]);
    expect(text).toBe('hi');
    expect(done.usage.promptTokens).toBe(0);
  });

  it('takes ids for a prompt', async () => {
    const { text } = await complete(saying('!', 'abc'), { prompt: Int32Array.of(97, 98, 99) });
    expect(text).toBe('!');
  });

  it('carries characters over block boundaries', async () => {
    const text = 'é漢😀é漢😀';
    for (const blockLength of [1, 2, 3, 4, 5]) {
      const { blocks } = await complete(saying(text), { decoding: { blockLength } });
      expect(blocks.join('')).toBe(text);
      expect(blocks.every((block) => block.isWellFormed() && !block.includes('\ufffd'))).toBe(true);
    }
  });

  it('drops a character that max_tokens cuts in two', async () => {
    const { text, done } = await complete(saying('a😀'), { maxTokens: 3 });
    expect([text, done.usage.completionTokens]).toEqual(['a', 3]);
  });

  it('counts forwards and positions after the prefill', async () => {
    // The first id and six masks decide the seven others of block 0; these seven and three masks decide block 1.
    const sure = { ...saying('abcdefghijklmnop'), confidence: () => 1 };
    const { done } = await complete(sure, { maxTokens: 12, decoding: { blockLength: 8 } });
    expect(done.cost).toMatchObject({ nfe: 2, positionForwards: 1 + 6 + 7 + 3 });
    expect(done.cost.prefillMs).toBeGreaterThan(0);
    expect(done.cost.decodeMs).toBeGreaterThan(0);
  });

  it('tells every decision, in order, once', async () => {
    const { all, text } = await complete(saying('abcdefghijkl'), { maxTokens: 12 });
    const decided = new Map<number, number>();
    for (const event of all) {
      if (event.type !== 'step') continue;
      for (const position of event.positions) expect(event.block).toBe(Math.floor(position / 8));
      for (const [i, position] of event.positions.entries()) {
        expect(decided.has(position)).toBe(false);
        decided.set(position, event.ids[i]!);
      }
    }
    expect(String.fromCharCode(...Array.from({ length: 12 }, (_, i) => decided.get(i)!))).toBe(text);
  });

  it('gives the same text for the same seed, and another for another', async () => {
    const sampled = (seed: number) => complete({}, { seed, temperature: 1 });
    const { text } = await sampled(3);
    expect((await sampled(3)).text).toBe(text);
    expect((await sampled(4)).text).not.toBe(text);
  });
});

describe('stop strings', () => {
  it.each([1, 2, 3, 8, 32])('end the text at block length %i, wherever the blocks end', async (blockLength) => {
    const { text, done } = await complete(saying('return 1;\n}\nrest'), {
      stop: ['\n}\n', 'rest'],
      decoding: { blockLength },
    });
    expect(text).toBe('return 1;');
    expect(done.finishReason).toBe('stop');
    // Up to the id that completes the stop string.
    expect(done.usage.completionTokens).toBe(12);
  });

  it('hold back what could be their beginning, and let it go when it is not', async () => {
    const { blocks } = await complete(saying('abENcdEND'), { stop: ['END'], decoding: { blockLength: 4 } });
    expect(blocks.join('')).toBe('abENcd');
    expect(blocks.filter((text) => /E$|EN$|END/.test(text))).toEqual([]);
  });

  it('give back what is held when the text ends first', async () => {
    const { text, done } = await complete(saying('abEN'), { stop: ['END'] });
    expect([text, done.finishReason]).toEqual(['abEN', 'stop']);
    const cut = await complete(saying('abENDE'), { stop: ['ENDED'], maxTokens: 6 });
    expect([cut.text, cut.done.finishReason]).toEqual(['abENDE', 'length']);
  });

  it('run nothing after the block that holds one', async () => {
    const { model, engine } = setUp(saying('a;bcdefghijklmnop'));
    await collect(engine.generate(request({ stop: [';'], decoding: { blockLength: 4 } })));
    expect(model.commits.length).toBe(1);
    expect(model.openCaches).toEqual([]);
  });
});

describe('many requests', () => {
  it('take turns and keep their texts apart', async () => {
    const order: number[] = [];
    const { engine } = setUp();
    const prompts = ['one', 'two', 'three'];
    const alone = await Promise.all(
      prompts.map(async (prompt) => (await complete({}, { prompt, maxTokens: 40 })).text),
    );
    const together = await Promise.all(
      prompts.map(async (prompt, i) => {
        let text = '';
        for await (const event of engine.generate(request({ prompt, maxTokens: 40 }))) {
          if (event.type === 'block') text += event.text;
          order.push(i);
        }
        return text;
      }),
    );
    expect(together).toEqual(alone);
    // The first to end does so after the last one began.
    expect(order.indexOf(2)).toBeLessThan(Math.min(...prompts.map((_, i) => order.lastIndexOf(i))));
  });

  it('end within their bound and never show a mask, over random settings', async () => {
    let state = 1;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 300; round++) {
      const logitShift = random(2) === 0;
      const { model, engine } = setUp({ config: { logitShift, blockLength: 1 + random(16) } });
      const maxTokens = 1 + random(40);
      const blockLength = 1 + random(20);
      const steps = 1 + random(8);
      const { done, text } = await collect(
        engine.generate(
          request({
            prompt: 'x'.repeat(random(80)),
            maxTokens,
            seed: random(1e9),
            temperature: random(2),
            decoding: { policy: random(2) ? 'fixed' : 'confidence', threshold: random(11) / 10, steps, blockLength },
          }),
        ),
      );
      expect(done.usage.completionTokens).toBe(maxTokens);
      expect(text).toMatch(/^[!-~]*$/);
      expect(text.length).toBe(maxTokens);
      expect(done.cost.nfe).toBeLessThanOrEqual(maxTokens + Math.ceil(maxTokens / blockLength));
      expect(model.openCaches).toEqual([]);
    }
  });
});
