import { expect, test } from 'vitest';
import { nextMacrotask } from '../../src/sampler/macrotask.ts';
import { Turns } from '../../src/sampler/turns.ts';

/** A request that takes `count` turns and does `between` after each. */
async function take(
  turn: () => Promise<void>,
  name: string,
  count: number,
  log: string[],
  between = async () => {},
): Promise<void> {
  for (let i = 0; i < count; i++) {
    await turn();
    log.push(name);
    await between();
  }
}

test('those that always want a turn go round in order of joining', async () => {
  const turns = new Turns();
  const log: string[] = [];
  await Promise.all(['a', 'b', 'c'].map((name) => take(turns.join(), name, 4, log)));
  expect(log.join('')).toBe('abcabcabcabc');
});

test('one that works between turns is waited for by nobody, and goes first when it is back', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const away = async () => {
    for (let i = 0; i < 7; i++) await nextMacrotask();
  };
  const [a, b, c] = [turns.join(), turns.join(), turns.join()];
  await Promise.all([take(a, 'a', 20, log), take(b, 'b', 3, log, away), take(c, 'c', 20, log)]);
  const gaps = log
    .join('')
    .split('b')
    .map((gap) => gap.length);
  expect(gaps.length).toBe(4);
  // The two others have a turn each while a macrotask passes.
  for (const gap of gaps.slice(1, -1)) expect(gap).toBeLessThanOrEqual(2 * 7 + 1);
  // And the others alternate as if it were not there.
  expect(log.filter((name) => name !== 'b').join('')).toBe('ac'.repeat(20));
});

test('one that joins late gets as many turns from then on', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const early = ['a', 'b'].map((name) => take(turns.join(), name, 10, log));
  while (log.length < 8) await nextMacrotask();
  const from = log.length;
  await Promise.all([...early, take(turns.join(), 'c', 4, log)]);
  const round = log.slice(from, from + 12);
  for (const name of ['a', 'b', 'c']) expect(round.filter((other) => other === name).length).toBe(4);
});

test('every turn lets the event loop go round, for one request alone too', async () => {
  const turn = new Turns().join();
  for (let i = 0; i < 5; i++) {
    let passed = false;
    void nextMacrotask().then(() => {
      passed = true;
    });
    await turn();
    expect(passed).toBe(true);
  }
});

test('one that the runtime has dropped while it waits holds nobody up', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const [dropped, a, b] = [turns.join(), turns.join(), turns.join()];
  const { setImmediate } = globalThis;
  // Its macrotask never comes.
  globalThis.setImmediate = (() => {}) as unknown as typeof setImmediate;
  void dropped();
  globalThis.setImmediate = setImmediate;
  await Promise.all([take(a, 'a', 5, log), take(b, 'b', 5, log)]);
  expect(log.join('')).toBe('ab'.repeat(5));
});
