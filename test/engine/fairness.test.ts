import { describe, expect, it } from 'vitest';
import { collect, request, setUp } from './requests.ts';

const N = 16;

/** N requests of equal work at once; when each ended, in forwards of all together. */
async function runTogether(n: number) {
  const { model, engine } = setUp({ poolTokens: 65536 });
  const ends: number[] = [];
  await Promise.all(
    Array.from({ length: n }, async () => {
      await collect(engine.generate(request({ maxTokens: 40, prompt: 'x'.repeat(200) })));
      ends.push(model.forwards.length);
    }),
  );
  return { model, ends, turns: model.turns };
}

describe('several requests', () => {
  it('of equal work end within one forward of each other, at the same forwards every time', async () => {
    const { ends, turns } = await runTogether(N);
    const forwards = turns.length / N;
    expect(forwards).toBeGreaterThan(10);
    expect(turns).toEqual(Array.from({ length: forwards * N }, (_, i) => i % N));
    expect(Math.min(...ends)).toBeGreaterThan((forwards - 1) * N);
    expect((await runTogether(N)).turns).toEqual(turns);
  });

  it('are stopped by a long prompt for one chunk at a time', async () => {
    const { model, engine } = setUp({ poolTokens: 65536 });
    const short = collect(engine.generate(request({ maxTokens: 60 })));
    const long = collect(engine.generate(request({ maxTokens: 5, prompt: 'y'.repeat(3000) })));
    await Promise.all([short, long]);
    const chunks = model.forwards.filter(({ ids }, i) => model.turns[i] === 1 && ids.length > 20);
    expect(Math.max(...chunks.map(({ ids }) => ids.length))).toBe(64);
    const end = model.turns.lastIndexOf(0);
    expect(end).toBeGreaterThan(20);
    expect(model.turns.slice(0, end)).toEqual(Array.from({ length: end }, (_, i) => i % 2));
  });
});
