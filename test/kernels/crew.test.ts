/** Products on several threads: the same bits as on one, and no hang when a thread fails. */
import { afterEach, describe, expect, test } from 'vitest';
import { nodeThreads } from '../../src/hosts/node/host/threads.ts';
import { Arena } from '../../src/kernels/arena.ts';
import { Crew, type HelperTask, type Threads } from '../../src/kernels/crew.ts';
import { instantiateModule, kernelModule } from '../../src/kernels/kernels.ts';
import { F32, INT4, INT8, type ProductKind } from '../../src/kernels/tasks.ts';
import { DirectWork, type Work } from '../../src/kernels/work.ts';
import { flavours, randomBytes, randomFloats, randomHalves, sharedKernelModules } from '../support/engines/kernels.ts';

const PANEL = 13 * 8960;
let crew: Crew | undefined;
afterEach(() => crew?.close());

async function open(flavour: (typeof flavours)[number], threads: Threads, bytes = 80 << 20) {
  const arena = new Arena(bytes, true);
  const module = kernelModule(sharedKernelModules, flavour);
  const kernels = instantiateModule(module, arena.memory);
  const panel = arena.take(PANEL);
  crew = await Crew.start(threads, arena, module, kernels, panel, PANEL);
  return { arena, kernels, crew, direct: new DirectWork(kernels, panel) };
}

/** [rows, limbs, n, K]: layers of the default model, slices of its head and of a 1.5B model's layers, and tails. */
const SHAPES = [
  [1, 1, 576, 576],
  [1, 2, 192, 576],
  [3, 1, 1536, 576],
  [8, 1, 576, 1536],
  [64, 1, 192, 576],
  [1, 1, 8192, 576],
  [2, 1, 2240, 1536],
  [1, 1, 64, 8960],
  [5, 1, 13, 64],
] as const;

// Odd lengths, so that no two rows are alike.
const FLOATS = randomFloats(65537, 1);
const BYTES = randomBytes(65537, 2);
const HALVES = randomHalves(65537, 3);

function repeated<T extends Float32Array | Uint8Array | Uint16Array>(pattern: T, length: number): T {
  const array = new (pattern.constructor as new (length: number) => T)(length);
  for (let at = 0; at < length; at += pattern.length) array.set(pattern.subarray(0, length - at), at);
  return array;
}

const KINDS: [string, ProductKind][] = [
  ['int4', INT4],
  ['int8', INT8],
  ['f32', F32],
];

describe.each(flavours)('%s', (flavour) => {
  test.each(KINDS)('%s: three threads write what one writes', async (_name, kind) => {
    const { arena, kernels, crew, direct } = await open(flavour, nodeThreads(3), 100 << 20);
    const put = (array: Float32Array | Uint8Array | Uint16Array) => {
      const at = arena.take(array.byteLength);
      arena.bytes(at, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      return at;
    };
    const jobs = SHAPES.map(([rows, limbs, n, k], i) => {
      const x = put(randomFloats(rows * k, i));
      const q = arena.take((rows * limbs * k * 72) / 32);
      if (kind !== F32) kernels.quantize(q, x, rows, k, limbs, kind === INT8 ? 1 : 0, 0, rows);
      const weights = kind === F32 ? repeated(FLOATS, n * k) : repeated(BYTES, kind === INT4 ? (n * k) / 2 : n * k);
      const y = put(randomFloats(rows * (n + 3), i));
      return {
        y,
        floats: rows * (n + 3),
        x: kind === F32 ? x : q,
        w: put(weights),
        s: put(repeated(HALVES, (n * k) / 32)),
        rows,
        n,
        k,
        limbs,
      };
    });
    const results = (products: Work, accumulate: 0 | 1) => {
      for (const { y, x, w, s, rows, n, k, limbs } of jobs) {
        products.add(kind, y, n + 3, accumulate, x, w, s, rows, n, k, limbs);
      }
      products.finish();
      return jobs.map(({ y, floats }) => arena.f32(y, floats).slice());
    };
    const expected = results(direct, 0);
    for (const { y, floats } of jobs) arena.f32(y, floats).fill(0, 0, 1);
    expect(results(crew, 0)).toEqual(expected);
    const sums = results(direct, 1);
    results(direct, 0);
    expect(results(crew, 1)).toEqual(sums);
  });
});

test('thousands of small rounds, with pauses in which the threads fall asleep', async () => {
  const { arena, crew } = await open('simd', nodeThreads(3));
  const [x, w, y] = [arena.take(64 * 4), arena.take(64 * 64 * 4), arena.take(64 * 4)];
  arena.f32(x, 64).fill(1);
  arena.f32(w, 64 * 64).fill(1);
  for (let round = 1; round <= 3000; round++) {
    // More products than a round takes, each on its own outputs.
    for (let i = 0; i < 20; i++) crew.add(F32, y + i * 8, 2, 1, x, w, 0, 1, 2, 64, 1);
    crew.finish();
    if (round % 300 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(arena.f32(y, 40)).toEqual(new Float32Array(40).fill(3000 * 64));
});

describe('failure', () => {
  const OUTSIDE = 0xffff0000;

  test('an error in a product is thrown, by this round and all later ones', async () => {
    const { arena, crew } = await open('simd', nodeThreads(2));
    const y = arena.take(4096 * 4);
    crew.add(F32, y, 4096, 0, y, OUTSIDE, 0, 1, 4096, 64, 1);
    expect(() => crew.finish()).toThrow(/a kernel thread failed/);
    crew.add(F32, y, 8, 0, y, y, 0, 1, 8, 8, 1);
    expect(() => crew.finish()).toThrow(/a kernel thread failed/);
  });

  test('a thread that is gone', async () => {
    const onFailures: ((error: unknown) => void)[] = [];
    const threads = nodeThreads(2);
    const start = (task: HelperTask, onFailure: (error: unknown) => void) => {
      onFailures.push(onFailure);
      return threads.start(task, onFailure);
    };
    const { arena, crew } = await open('simd', { count: 2, start });
    onFailures[0]?.(new Error('out of memory'));
    const y = arena.take(64);
    crew.add(F32, y, 8, 0, y, y, 0, 1, 8, 8, 1);
    expect(() => crew.finish()).toThrow(expect.objectContaining({ cause: new Error('out of memory') }));
  });

  test('a thread that does not start ends the others', async () => {
    const threads = nodeThreads(3);
    let asked = 0;
    let ended = 0;
    const start: Threads['start'] = async (task, onFailure) => {
      if (asked++ === 1) throw new Error('no more threads');
      const helper = await threads.start(task, onFailure);
      return { ended: () => helper.ended().then(() => void ended++) };
    };
    await expect(open('simd', { count: 3, start })).rejects.toThrow('a kernel thread did not start');
    expect(ended).toBe(1);
  });

  test('close ends the threads, awake or asleep, and later products throw', async () => {
    const { arena, crew } = await open('simd', nodeThreads(3));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await crew.close();
    await crew.close();
    const y = arena.take(64);
    crew.add(F32, y, 8, 0, y, y, 0, 1, 8, 8, 1);
    expect(() => crew.finish()).toThrow('the kernel threads were closed');
  });
});
