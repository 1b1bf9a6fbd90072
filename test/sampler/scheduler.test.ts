import { describe, expect, test } from 'vitest';
import { PROPORTIONAL } from '../../src/model/cost-curve.ts';
import type { Advanced, Predictions, SequenceForward } from '../../src/model/model.ts';
import { nextMacrotask } from '../../src/sampler/macrotask.ts';
import type { Lane } from '../../src/sampler/scheduling/lane.ts';
import { Scheduler } from '../../src/sampler/scheduling/scheduler.ts';
import { FakeCache, fakeConfig } from '../support/engines/fake-model.ts';

const NEVER = new AbortController().signal;
/** Of a forward in which VNNI multiplies (`src/model/stored-costs.ts`). */
const COSTS = { source: 'stored' as const, positions: [1, 2, 3, 4, 8, 16], costs: [1, 1.16, 1.3, 1.5, 2.62, 4.95] };

/** Answers each commit with the ids that it was given, and keeps its batches. */
function model(batchRows: number, costs = PROPORTIONAL as typeof COSTS) {
  const batches: (readonly SequenceForward[])[] = [];
  const answers = (batch: readonly SequenceForward[]): Advanced[] => {
    batches.push(batch);
    return batch.map(({ cache, clean, ask }) => {
      if (clean[0] === 13) throw new Error('unlucky');
      (cache as FakeCache).ids.push(...clean);
      const rows = { none: 0, last: 1, all: clean.length }[ask.rows];
      return { committed: answer(clean.slice(clean.length - rows)), block: answer(new Int32Array()) };
    });
  };
  const forward = (batch: readonly SequenceForward[]) => {
    if (batchRows > 0) return answers(batch);
    return Promise.resolve().then(() => answers(batch));
  };
  return { config: fakeConfig, maxForward: 64, freeTokens: 8192, maxTokens: 8192, batchRows, costs, forward, batches };
}

function answer(ids: Int32Array): Predictions {
  return { ids, probs: new Float32Array(ids.length), entropies: new Float32Array(ids.length) };
}

function join(scheduler: Scheduler, macrotask = nextMacrotask, client = ''): Lane {
  return scheduler.join({ cache: new FakeCache(4096, 0, () => {}), client, macrotask });
}

function commit(lane: Lane, ids: readonly number[], signal = NEVER): Promise<Advanced> {
  const ask = { rows: 'last' as const, positions: new Int32Array() };
  return lane.forward({ clean: Int32Array.from(ids), block: new Int32Array(), ask }, signal);
}

function prompt(length: number): number[] {
  return new Array<number>(length).fill(1);
}

/** A request that commits `count` tokens, one a forward, and does `between` after each. */
async function take(lane: Lane, name: number, count: number, between = async () => {}): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { committed } = await commit(lane, [name]);
    expect([...committed.ids]).toEqual([name]);
    await between();
  }
}

/** Macrotasks of a request that the host has ended. */
const gone = () => new Promise<void>(() => {});

async function away(): Promise<void> {
  for (let i = 0; i < 7; i++) await nextMacrotask();
}

describe('a runtime that takes one sequence at a time', () => {
  /** Which request each forward was for. */
  const order = ({ batches }: ReturnType<typeof model>) => batches.map((batch) => String(batch[0]!.clean[0])).join('');

  test('those that always want a turn go round in order of joining', async () => {
    const served = model(0);
    const scheduler = new Scheduler(served);
    await Promise.all([1, 2, 3].map((name) => take(join(scheduler), name, 4)));
    expect(order(served)).toBe('123123123123');
  });

  test('one that works between turns is waited for by nobody, and goes first when it is back', async () => {
    const served = model(0);
    const scheduler = new Scheduler(served);
    const [a, b, c] = [1, 2, 3].map(() => join(scheduler));
    await Promise.all([take(a!, 1, 20), take(b!, 2, 3, away), take(c!, 3, 20)]);
    const log = order(served);
    const gaps = log.split('2').map((gap) => gap.length);
    expect(gaps.length).toBe(4);
    // The two others have a turn each while a macrotask passes.
    for (const gap of gaps.slice(1, -1)) expect(gap).toBeLessThanOrEqual(2 * 7 + 1);
    // And the others alternate as if it were not there.
    expect(log.replaceAll('2', '')).toBe('13'.repeat(20));
  });

  test('one that joins late gets as many turns from then on', async () => {
    const served = model(0);
    const scheduler = new Scheduler(served);
    const early = [1, 2].map((name) => take(join(scheduler), name, 10));
    while (served.batches.length < 8) await nextMacrotask();
    const from = served.batches.length;
    await Promise.all([...early, take(join(scheduler), 3, 4)]);
    const round = [...order(served)].slice(from, from + 12);
    for (const name of ['1', '2', '3']) expect(round.filter((other) => other === name).length).toBe(4);
  });

  test('one that the runtime has dropped while it waits holds nobody up', async () => {
    const served = model(0);
    const scheduler = new Scheduler(served);
    void commit(join(scheduler, gone), [9]);
    await Promise.all([1, 2].map((name) => take(join(scheduler), name, 5)));
    expect(order(served)).toBe('12'.repeat(5));
  });
});

test.each([0, 64])(
  'every forward lets the event loop go round, for one request alone too, batches of %i',
  async (rows) => {
    const lane = join(new Scheduler(model(rows)));
    for (let i = 0; i < 5; i++) {
      let passed = false;
      void nextMacrotask().then(() => {
        passed = true;
      });
      await commit(lane, [1]);
      expect(passed).toBe(true);
    }
  },
);

test.each([0, 64])('an abort takes the work back before it runs, batches of %i', async (rows) => {
  const served = model(rows);
  const lane = join(new Scheduler(served));
  const abort = new AbortController();
  const running = commit(lane, [1], abort.signal);
  abort.abort(new Error('gone'));
  await expect(running).rejects.toThrow('gone');
  await expect(commit(lane, [1], abort.signal)).rejects.toThrow('gone');
  expect(served.batches).toEqual([]);
});

describe('a runtime that takes batches', () => {
  const sizes = ({ batches }: ReturnType<typeof model>) =>
    batches.map((batch) => batch.map(({ clean }) => clean.length));

  test('requests that decode share every forward', async () => {
    const served = model(64);
    const scheduler = new Scheduler(served);
    await Promise.all([1, 2, 3].map((name) => take(join(scheduler), name, 4)));
    expect(sizes(served)).toEqual(new Array(4).fill([1, 1, 1]));
  });

  test('one that is away is missed once, and is in the next forward when it is back', async () => {
    const served = model(64);
    const scheduler = new Scheduler(served);
    const [a, b] = [join(scheduler), join(scheduler)];
    await Promise.all([take(a, 1, 40), take(b, 2, 3, away)]);
    const together = served.batches.flatMap((batch, i) => (batch.length === 2 ? [i] : []));
    expect(together.length).toBe(3);
    expect(served.batches.length).toBe(40);
  });

  test('one that joins is in the next forward', async () => {
    const served = model(64);
    const scheduler = new Scheduler(served);
    const early = [1, 2].map((name) => take(join(scheduler), name, 10));
    while (served.batches.length < 4) await nextMacrotask();
    const from = served.batches.length;
    await Promise.all([...early, take(join(scheduler), 3, 2)]);
    expect(served.batches.slice(from, from + 2).map((batch) => batch.length)).toEqual([3, 3]);
  });

  test('pieces of a long prompt run beside tokens, at a cost that the curve bounds', async () => {
    const served = model(64, COSTS);
    const scheduler = new Scheduler(served);
    const running = [1, 2].map((name) => take(join(scheduler), name, 60));
    const long = join(scheduler);
    const { committed } = await commit(long, prompt(300));
    await Promise.all(running);
    expect(committed.ids.length).toBe(1);
    const pieces = sizes(served).filter((lengths) => lengths.length === 3);
    // Costs of 2.9 at most: 2.5 times those of two tokens.
    const longest = pieces.map((lengths) => Math.max(...lengths));
    expect(new Set(longest.slice(0, -2))).toEqual(new Set([6]));
    expect(long.cache.length).toBe(300);
  });

  test('a prompt of another client has more of a forward than one more of a client that decodes', async () => {
    const served = model(64, COSTS);
    const scheduler = new Scheduler(served);
    const running = [1, 2].map((name) => take(join(scheduler, undefined, 'many'), name, 30));
    const more = commit(join(scheduler, undefined, 'many'), prompt(100));
    const few = commit(join(scheduler, undefined, 'few'), prompt(24));
    await Promise.all([...running, more, few]);
    const before = served.batches.findLastIndex((batch) => batch.length === 4);
    // At a cost of 4.64, then alone of 2.9.
    expect(
      sizes(served)
        [before - 1]!.toSorted((a, b) => b - a)
        .slice(0, 1),
    ).toEqual([12]);
    expect(Math.max(...sizes(served)[before + 1]!)).toBe(6);
  });

  test.each([17, 32, 64])('a block of %i masks does not wait for those who decode', async (width) => {
    const served = model(64, COSTS);
    const scheduler = new Scheduler(served);
    const running = [1, 2].map((name) => take(join(scheduler), name, 20));
    const block = new Int32Array(width).fill(fakeConfig.maskTokenId);
    const ask = { rows: 'none' as const, positions: Int32Array.of(1) };
    await join(scheduler).forward({ clean: new Int32Array(), block, ask }, NEVER);
    expect(served.batches.length).toBeLessThan(4);
    await Promise.all(running);
  });

  test('one that pauses looks now and then, and goes on', async () => {
    const scheduler = new Scheduler(model(64));
    let looks = 0;
    const lane = join(scheduler, () => nextMacrotask().then(() => void looks++));
    lane.pause(true);
    const running = commit(lane, [1]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(looks).toBeLessThan(30);
    lane.pause(false);
    expect([...(await running).committed.ids]).toEqual([1]);
  });

  test('prompts alone fill the forward, first come first', async () => {
    const served = model(64, COSTS);
    const scheduler = new Scheduler(served);
    await Promise.all([40, 40, 40].map((length) => commit(join(scheduler), prompt(length))));
    expect(sizes(served)).toEqual([
      [40, 24],
      [16, 40],
    ]);
  });

  test('a request whose work fails fails alone', async () => {
    const scheduler = new Scheduler(model(64));
    const works = [1, 13, 2].map((name) => take(join(scheduler), name, 3));
    const ends = await Promise.allSettled(works);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  test('one that the runtime has dropped while it waits holds nobody up, and its work ends', async () => {
    const served = model(64);
    const scheduler = new Scheduler(served);
    const lost = join(scheduler, gone);
    void commit(lost, prompt(2000));
    await take(join(scheduler), 1, 60);
    expect(served.batches.length).toBe(60);
    expect(lost.cache.length).toBeLessThan(2000);
    expect(served.batches.at(-1)!.length).toBe(1);
  });

  test('a lane knows what the others had in the last forward', async () => {
    const scheduler = new Scheduler(model(64));
    const lanes = [1, 2, 3].map(() => join(scheduler));
    expect(lanes[0]!.load).toEqual({ rows: 0, tokens: 0 });
    await Promise.all(lanes.map((lane, i) => commit(lane, prompt(i + 1))));
    expect(lanes.map(({ load }) => load)).toEqual([
      { rows: 5, tokens: 2 },
      { rows: 4, tokens: 2 },
      { rows: 3, tokens: 2 },
    ]);
  });
});
