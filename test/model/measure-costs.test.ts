import { afterEach, expect, test, vi } from 'vitest';
import { measureCosts, SESSION_TIMING } from '../../src/model/measure-costs.ts';

afterEach(() => vi.restoreAllMocks());

/** A host on which a forward takes that many milliseconds. */
function host(cost: (positions: number) => number) {
  let now = 0;
  const sizes: number[] = [];
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const forward = async (positions: number) => {
    sizes.push(positions);
    now += cost(positions);
  };
  return { forward, sizes };
}

test('the curve is that of the host, never falling', async () => {
  const { forward } = host((positions) => (positions === 4 ? 9 : 10 + positions));
  const curve = await measureCosts(forward, 20, SESSION_TIMING);
  expect(curve).toEqual({
    source: 'measured',
    positions: [1, 2, 4, 8, 16],
    costs: [1, 12 / 11, 12 / 11, 18 / 11, 26 / 11],
  });
});

test('a host that takes seconds for a forward is asked for two', async () => {
  const { forward, sizes } = host(() => 5000);
  expect(await measureCosts(forward, 64, SESSION_TIMING)).toEqual({ source: 'measured', positions: [1], costs: [1] });
  expect(sizes).toEqual([1, 1]);
});

test('a clock that stands still measures nothing', async () => {
  expect((await measureCosts(host(() => 0).forward, 64, SESSION_TIMING)).source).toBe('stored');
});
