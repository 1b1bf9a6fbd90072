import { describe, expect, test } from 'vitest';
import { Stopwatch } from '../../src/playground/page/measures.ts';

describe('what a run costs', () => {
  test('is not known before the first token', () => {
    const read = new Stopwatch(1000).read(0, 0, 0);
    expect(read).toMatchObject({ firstMs: null, tokensPerSecond: null, tokensPerForward: null });
  });

  test('has a speed once there is a second token', () => {
    const watch = new Stopwatch(1000);
    watch.tick(1250);
    expect(watch.read(1, 1, 0)).toMatchObject({ firstMs: 250, tokensPerSecond: null, tokensPerForward: 1 });
    watch.tick(1750);
    expect(watch.read(6, 4, 2)).toEqual({
      firstMs: 250,
      tokens: 6,
      tokensPerSecond: 10,
      forwards: 4,
      tokensPerForward: 1.5,
      revisions: 2,
    });
  });
});
