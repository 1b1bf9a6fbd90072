import { describe, expect, it } from 'vitest';
import { collect, request, saying, setUp } from './requests.ts';

describe('memory', () => {
  it('is given back by release, before run, after it, and twice', async () => {
    const { model, engine } = setUp(saying('abc'));
    const idle = await engine.admit(request());
    expect(model.openCaches.length).toBe(1);
    await idle.release();
    await idle.release();
    expect(model.openCaches).toEqual([]);
    expect(() => idle.run()).toThrow('runs once');

    const used = await engine.admit(request());
    await collect(used.run());
    expect(model.openCaches).toEqual([]);
    await used.release();
    expect(() => used.run()).toThrow('runs once');
  });

  it('is given back by events that are returned before they start', async () => {
    const { model, engine } = setUp();
    const admitted = await engine.admit(request());
    await admitted.run().return();
    expect(model.openCaches).toEqual([]);
    const released = await engine.admit(request());
    const events = released.run();
    await released.release();
    expect(model.openCaches).toEqual([]);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('is given back by a release during a forward, once the forward has ended', async () => {
    let released: Promise<void> | undefined;
    const { model, engine } = setUp({
      onForward: async (index) => {
        if (index !== 2) return;
        released = admitted.release();
        await new Promise((resolve) => setTimeout(resolve, 5));
      },
    });
    const admitted = await engine.admit(request());
    const reading = (async () => {
      for await (const _ of admitted.run());
    })();
    // The fake throws when a cache is freed while a forward uses it.
    await reading;
    await released;
    expect(released).toBeDefined();
    expect(model.forwards.length).toBe(3);
    expect(model.openCaches).toEqual([]);
  });

  const forwardsOf = async () => {
    const { model, engine } = setUp();
    const { all } = await collect(engine.generate(request()));
    return { forwards: model.forwards.length, events: all.length };
  };

  it('is given back at whatever forward an abort comes, and the events end with its reason', async () => {
    const { forwards } = await forwardsOf();
    expect(forwards).toBeGreaterThan(6);
    for (let at = 0; at < forwards - 1; at++) {
      const controller = new AbortController();
      const { model, engine } = setUp({
        onForward: (index) => {
          if (index === at) controller.abort(new Error('client gone'));
        },
      });
      await expect(collect(engine.generate(request(), controller.signal))).rejects.toThrow('client gone');
      expect(model.forwards.length).toBe(at + 1);
      expect(model.openCaches).toEqual([]);
    }
  });

  it('is given back at an abort that came first', async () => {
    const { model, engine } = setUp();
    await expect(collect(engine.generate(request(), AbortSignal.abort(new Error('early'))))).rejects.toThrow('early');
    expect(model.forwards).toEqual([]);
    expect(model.openCaches).toEqual([]);
  });

  it('is given back at whatever forward the model fails', async () => {
    const { forwards } = await forwardsOf();
    for (let at = 0; at < forwards; at++) {
      const { model, engine } = setUp({
        onForward: (index) => {
          if (index === at) throw new Error('model broke');
        },
      });
      await expect(collect(engine.generate(request()))).rejects.toThrow('model broke');
      expect(model.caches.length).toBe(1);
      expect(model.openCaches).toEqual([]);
    }
  });

  it('is given back at whatever event a consumer leaves', async () => {
    const { events } = await forwardsOf();
    for (let at = 0; at < events; at++) {
      const { model, engine } = setUp();
      let seen = 0;
      for await (const _ of engine.generate(request())) if (seen++ === at) break;
      expect(model.caches.length).toBe(1);
      expect(model.openCaches).toEqual([]);
    }
  });
});
