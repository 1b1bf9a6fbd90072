import { describe, expect, it } from 'vitest';
import { planLayout, SHARD_LIMIT } from '../../../src/convert/write/layout.ts';

describe('planLayout', () => {
  it('aligns regions to 64 bytes, scales right after the data', () => {
    const { tensors, shards } = planLayout([
      { name: 'a', type: 'int4', shape: [3, 32] },
      { name: 'b', type: 'f32', shape: [5] },
      { name: 'c', type: 'int8', shape: [1, 64] },
    ]);
    expect(tensors.map((tensor) => tensor.parts)).toEqual([
      [{ shard: 0, rows: [0, 3], data: 0, scales: 64 }],
      [{ shard: 0, rows: [0, 5], data: 128 }],
      [{ shard: 0, rows: [0, 1], data: 192, scales: 256 }],
    ]);
    expect(shards).toEqual([260]);
  });

  it('opens a new shard rather than split a tensor that fits one', () => {
    const matrix = { type: 'int8', shape: [4, 32] } as const; // 128 + 8 bytes
    const { tensors, shards } = planLayout(
      ['a', 'b'].map((name) => ({ name, ...matrix })),
      256,
    );
    expect(tensors.map((tensor) => tensor.parts)).toEqual([
      [{ shard: 0, rows: [0, 4], data: 0, scales: 128 }],
      [{ shard: 1, rows: [0, 4], data: 0, scales: 128 }],
    ]);
    expect(shards).toEqual([136, 136]);
  });

  it('splits by whole rows what does not fit one shard, starting in the room that is left', () => {
    const { tensors, shards } = planLayout(
      [
        { name: 'a', type: 'f32', shape: [16] },
        { name: 'b', type: 'int8', shape: [9, 32] },
      ],
      257,
    );
    expect(tensors[1]!.parts).toEqual([
      { shard: 0, rows: [0, 4], data: 64, scales: 192 },
      { shard: 1, rows: [4, 9], data: 0, scales: 192 },
    ]);
    for (const bytes of shards) expect(bytes).toBeLessThan(257);
  });

  it('keeps every shard of a large vocabulary under 25 MiB and covers every row once', () => {
    const { tensors, shards } = planLayout([{ name: 'head', type: 'f32', shape: [49152, 576] }]);
    expect(shards.length).toBe(5);
    for (const bytes of shards) expect(bytes).toBeLessThan(SHARD_LIMIT);
    let next = 0;
    for (const { rows } of tensors[0]!.parts) {
      expect(rows[0]).toBe(next);
      next = rows[1];
    }
    expect(next).toBe(49152);
  });

  it('names the tensor whose columns are not a multiple of 32', () => {
    expect(() => planLayout([{ name: 'odd.weight', type: 'int4', shape: [4, 48] }])).toThrow(
      /odd\.weight has 48 columns, not a multiple of 32/,
    );
    expect(() => planLayout([{ name: 'odd.weight', type: 'f32', shape: [4, 48] }])).not.toThrow();
  });

  it('names the tensor of which one row is larger than a shard', () => {
    expect(() => planLayout([{ name: 'wide', type: 'f32', shape: [1, 128] }], 256)).toThrow(/wide does not fit/);
  });
});
