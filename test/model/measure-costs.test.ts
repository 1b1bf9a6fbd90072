import { afterEach, expect, test, vi } from 'vitest';
import { dotProduct } from '../../src/kernels/dot-product.ts';
import { measureCosts, SESSION_TIMING } from '../../src/model/measure-costs.ts';
import { STORED_COSTS } from '../../src/model/stored-costs.ts';
import { Bench, flavours } from '../support/engines/kernels.ts';
import { convertFixture, wasmModel } from '../support/engines/models.ts';

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

test.each(flavours)(
  'where the clock stands still, the kernels have the curve of their dot product, %s',
  async (flavour) => {
    const source = await convertFixture('tiny-llama', 'int4');
    host(() => 0);
    const { costs } = await wasmModel(source, flavour);
    expect(costs).toBe(STORED_COSTS[dotProduct(new Bench(flavour, 1 << 16).kernels)]);
  },
);

test('a faster dot product makes more positions cheap', () => {
  const at = (dot: keyof typeof STORED_COSTS) => STORED_COSTS[dot].costs.at(-1)!;
  expect(at('vpdpbusd')).toBeLessThan(at('vpmaddubsw'));
  expect(at('vpmaddubsw')).toBeLessThan(at('plain'));
});
