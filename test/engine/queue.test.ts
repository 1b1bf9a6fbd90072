import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BusyError, type Place, type QueueLimits, RequestQueue } from '../../src/engine/queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = new AbortController().signal;

/** A queue in front of room for `total` units. */
function setUp(total: number, limits: Partial<QueueLimits> = {}) {
  const queue = new RequestQueue({ concurrency: 16, waiting: 4, seconds: 30, ...limits });
  const order: string[] = [];
  let free = total;
  /** Asks for `units`; the place's `leave` gives them back. */
  async function ask(name: string, units: number, signal = never): Promise<Place<number>> {
    const take = () => {
      if (units > free) return null;
      free -= units;
      return units;
    };
    const place = await queue.enter(take, signal);
    order.push(name);
    const leave = () => {
      free += units;
      place.leave();
    };
    return { ...place, leave };
  }
  return { queue, order, ask, free: () => free };
}

/** Lets every promise that can settle do so. */
const settle = () => vi.advanceTimersByTimeAsync(0);

describe('order', () => {
  it('is that of arrival: a large request is not starved by small ones that would fit', async () => {
    const { queue, order, ask } = setUp(10);
    const [a, b] = [await ask('a', 5), await ask('b', 4)];
    const large = ask('large', 10);
    const small = ask('small', 1);
    await settle();
    expect([order, queue.running, queue.waiting]).toEqual([['a', 'b'], 2, 2]);
    a.leave();
    await settle();
    expect(order).toEqual(['a', 'b']);
    b.leave();
    (await large).leave();
    await small;
    expect(order).toEqual(['a', 'b', 'large', 'small']);
    expect([queue.running, queue.waiting]).toEqual([1, 0]);
  });

  it('lets in as many as fit when one goes', async () => {
    const { order, ask } = setUp(10);
    const first = await ask('first', 10);
    const others = ['b', 'c', 'd'].map((name) => ask(name, 3));
    first.leave();
    await Promise.all(others);
    expect(order).toEqual(['first', 'b', 'c', 'd']);
  });

  it('bounds how many run, whatever room there is', async () => {
    const { queue, order, ask } = setUp(100, { concurrency: 2 });
    const [a] = [await ask('a', 1), await ask('b', 1)];
    const third = ask('c', 1);
    await settle();
    expect([order.length, queue.running]).toEqual([2, 2]);
    a.leave();
    a.leave();
    await third;
    expect(queue.running).toBe(2);
  });
});

describe('bounds', () => {
  it('refuses at once whoever finds the line full, with a time to come back', async () => {
    const { queue, ask } = setUp(1, { waiting: 2 });
    await ask('a', 1);
    const waiting = [ask('b', 1), ask('c', 1)];
    const refused = await ask('d', 1).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BusyError);
    expect(refused).toMatchObject({ reason: 'full', retryAfterSeconds: 1 });
    expect(String(refused)).toContain('1 requests run and 2 wait');
    expect(queue.waiting).toBe(2);
    for (const waiter of waiting) waiter.catch(() => {});
  });

  it('never waits when none may', async () => {
    const { ask } = setUp(1, { waiting: 0 });
    const place = await ask('a', 1);
    await expect(ask('b', 1)).rejects.toMatchObject({ reason: 'full' });
    place.leave();
    await ask('c', 1);
  });

  it('refuses whoever has waited too long, and then lets the next one in that fits', async () => {
    const { queue, order, ask } = setUp(10, { seconds: 3 });
    await ask('a', 5);
    const large = ask('large', 10).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(2000);
    const small = ask('small', 5);
    await vi.advanceTimersByTimeAsync(999);
    expect([order, queue.waiting]).toEqual([['a'], 2]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await large).toMatchObject({ name: 'BusyError', reason: 'late' });
    await small;
    expect(order).toEqual(['a', 'small']);
  });

  it('estimates from how long requests ran, up to a minute', async () => {
    const { ask } = setUp(2, { waiting: 2 });
    const retryAfter = async () => {
      const error = await ask('x', 2).catch((caught: unknown) => caught);
      return (error as BusyError).retryAfterSeconds;
    };
    const [a, b] = [await ask('a', 1), await ask('b', 1)];
    const waiting = [ask('c', 1), ask('d', 1)];
    await vi.advanceTimersByTimeAsync(8000);
    // Three are ahead on two places, at 8 seconds each so far.
    expect(await retryAfter()).toBe(12);
    a.leave();
    b.leave();
    const [c, d] = await Promise.all(waiting);
    for (const name of ['e', 'f']) ask(name, 1).catch(() => {});
    expect(await retryAfter()).toBe(12);
    await vi.advanceTimersByTimeAsync(1000);
    c?.leave();
    d?.leave();
    await settle();
    for (const name of ['g', 'h']) ask(name, 1).catch(() => {});
    // 0.8 of 8 seconds and 0.2 of 1, twice.
    expect(await retryAfter()).toBe(Math.ceil(5.48 * 1.5));
  });
});

describe('a client that goes away while it waits', () => {
  it('frees its place in the line, for those behind it too', async () => {
    const { queue, order, ask } = setUp(10);
    const held = await ask('a', 5);
    const client = new AbortController();
    const large = ask('large', 10, client.signal);
    const small = ask('small', 5);
    await settle();
    expect(order).toEqual(['a']);
    client.abort(new Error('gone'));
    await expect(large).rejects.toThrow('gone');
    await small;
    expect([order, queue.waiting, queue.running]).toEqual([['a', 'small'], 0, 2]);
    held.leave();
  });

  it('takes nothing when it went before it asked', async () => {
    const { queue, ask, free } = setUp(1);
    await expect(ask('a', 1, AbortSignal.abort(new Error('early')))).rejects.toThrow('early');
    expect([queue.running, free()]).toEqual([0, 1]);
  });

  it('leaves no listener and no timer behind', async () => {
    const { ask } = setUp(1);
    const held = await ask('a', 1);
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    const waiting = ask('b', 1, signal);
    await vi.advanceTimersByTimeAsync(2500);
    held.leave();
    (await waiting).leave();
    expect(add.mock.calls.length).toBeGreaterThan(2);
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('passes on what taking throws, and goes on', async () => {
  const { queue, ask } = setUp(1);
  const fails = () => {
    throw new Error('broken');
  };
  await expect(queue.enter(fails, never)).rejects.toThrow('broken');
  const held = await ask('a', 1);
  const waiting = queue.enter(() => (queue.running === 0 ? fails() : null), never);
  const next = ask('b', 1);
  held.leave();
  await expect(waiting).rejects.toThrow('broken');
  await next;
  expect(queue.running).toBe(1);
});

it('finds room that came free without a word, within a second', async () => {
  const { queue } = setUp(0);
  let room: string | null = null;
  const place = queue.enter(() => room, never);
  await settle();
  room = 'free';
  await vi.advanceTimersByTimeAsync(1000);
  expect((await place).room).toBe('free');
});

it('passes over a waiter that the runtime has dropped', async () => {
  const { queue, order, ask } = setUp(10, { seconds: 5 });
  const held = await ask('a', 10);
  // Nothing that a dropped request waits for ever comes.
  const { Promise: Whole } = globalThis;
  globalThis.Promise = function nothing() {
    return new Whole(() => {});
  } as unknown as PromiseConstructor;
  void queue.enter(() => null, never);
  globalThis.Promise = Whole;
  await vi.advanceTimersByTimeAsync(4000);
  const next = ask('next', 10);
  held.leave();
  await vi.advanceTimersByTimeAsync(1900);
  expect([order, queue.waiting]).toEqual([['a'], 2]);
  await vi.advanceTimersByTimeAsync(1100);
  await next;
  expect(order).toEqual(['a', 'next']);
});

describe('several clients', () => {
  /** A queue of places alone; `ask` notes who was let in, and `paused` who has to pause. */
  function places(limits: Partial<QueueLimits>) {
    const queue = new RequestQueue({ concurrency: 2, waiting: 8, seconds: 30, ...limits });
    const order: string[] = [];
    const paused = new Set<string>();
    async function ask(client: string, name: string): Promise<Place<string>> {
      const place = await queue.enter(() => name, never, client);
      order.push(name);
      place.onPause = (now) => void (now ? paused.add(name) : paused.delete(name));
      return place;
    }
    return { queue, order, paused, ask };
  }

  it('are served in turn, each in order of arrival', async () => {
    const { order, ask } = places({ concurrency: 1 });
    let running = await ask('many', 'a1');
    const waiting = [ask('many', 'a2'), ask('many', 'a3'), ask('few', 'b1'), ask('few', 'b2')];
    await settle();
    for (const next of ['b1', 'a2', 'b2', 'a3']) {
      running.leave();
      await settle();
      expect(order.at(-1)).toBe(next);
      running = await waiting[['a2', 'a3', 'b1', 'b2'].indexOf(next)]!;
    }
  });

  it('share the running places: who has more pauses, and goes on when there is a place again', async () => {
    const { queue, order, paused, ask } = places({ concurrency: 2 });
    const [first] = [await ask('many', 'a1'), await ask('many', 'a2')];
    const waiting = ask('many', 'a3');
    const other = await ask('few', 'b1');
    expect([order, [...paused], queue.running]).toEqual([['a1', 'a2', 'b1'], ['a2'], 3]);
    other.leave();
    await settle();
    expect([...paused]).toEqual([]);
    first.leave();
    (await waiting).leave();
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('keep their places while each has its share', async () => {
    const { order, paused, ask } = places({ concurrency: 2 });
    await ask('one', 'a1');
    await ask('two', 'b1');
    void ask('three', 'c1');
    void ask('one', 'a2');
    await settle();
    expect([order, [...paused]]).toEqual([['a1', 'b1'], []]);
  });

  it('share the places in the queue: the last of the longest line is refused', async () => {
    const { queue, ask } = places({ concurrency: 1, waiting: 4 });
    await ask('many', 'a0');
    const many = [1, 2, 3, 4].map((i) => ask('many', `a${i}`).catch((error: unknown) => error));
    await settle();
    const few = [ask('few', 'b1'), ask('few', 'b2')];
    await settle();
    expect(await many[3]).toMatchObject({ name: 'BusyError', reason: 'full' });
    expect(await many[2]).toMatchObject({ name: 'BusyError', reason: 'full' });
    expect(queue.waiting).toBe(4);
    await expect(ask('few', 'b3')).rejects.toMatchObject({ reason: 'full' });
    await expect(ask('many', 'a5')).rejects.toMatchObject({ reason: 'full' });
    for (const waiter of few) waiter.catch(() => {});
  });
});
