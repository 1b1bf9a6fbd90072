/** What threads share besides matrix products: each kernel writes with several threads what it writes alone. */
import { afterEach, describe, expect, test } from 'vitest';
import { nodeThreads } from '../../src/hosts/node/host/threads.ts';
import { Arena } from '../../src/kernels/arena.ts';
import { Crew } from '../../src/kernels/crew.ts';
import { instantiateModule, kernelModule } from '../../src/kernels/kernels.ts';
import { ATTENTION, ATTENTION_I16 } from '../../src/kernels/tasks.ts';
import { DirectWork, type Work } from '../../src/kernels/work.ts';
import { attentionScratchBytes, pageBytes } from '../../src/model/workspace.ts';
import { flavours, randomFloats, sharedKernelModules } from '../support/engines/kernels.ts';

const SCRATCH = attentionScratchBytes(16, 128, 1024, 8);
let crew: Crew | undefined;
afterEach(() => crew?.close());

async function open(flavour: (typeof flavours)[number]) {
  const arena = new Arena(64 << 20, true);
  const module = kernelModule(sharedKernelModules, flavour);
  const kernels = instantiateModule(module, arena.memory);
  const scratch = arena.take(SCRATCH);
  crew = await Crew.start(nodeThreads(3), arena, module, kernels, scratch, SCRATCH);
  const put = (array: Float32Array | Int32Array) => {
    const at = arena.take(array.byteLength);
    arena.bytes(at, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return at;
  };
  /** Bytes that `run` writes with one thread and with three, each into zeros. */
  const compare = (bytes: number, run: (work: Work, y: number) => void) => {
    const [alone, together] = [new DirectWork(kernels, scratch), crew!].map((work) => {
      const y = arena.take(bytes);
      run(work, y);
      work.finish();
      return arena.bytes(y, bytes).slice();
    });
    expect(alone!.some((byte) => byte !== 0)).toBe(true);
    expect(Buffer.compare(together!, alone!)).toBe(0);
  };
  return { arena, kernels, put, compare };
}

// [rows, tokens before, heads, kvHeads, d, pageTokens]: one piece, heads alone, rows too, and more K and V heads than pieces.
const ATTENTIONS = [
  [1, 3, 9, 3, 64, 8],
  [1, 700, 9, 3, 64, 8],
  [7, 90, 8, 1, 80, 8],
  [64, 40, 9, 3, 64, 8],
  [64, 300, 20, 20, 32, 8],
] as const;

describe.each(flavours)('%s', (flavour) => {
  test('attention, over pages of int8 and of int16', async () => {
    const { arena, kernels, put, compare } = await open(flavour);
    for (const [rows, before, heads, kvHeads, d, pageTokens] of ATTENTIONS) {
      const tokens = before + rows;
      const width = kvHeads * d;
      const keys = put(randomFloats(tokens * width, d, 3));
      const values = put(randomFloats(tokens * width, d + 1, 3));
      const q = put(randomFloats(rows * heads * d, d + 2, 2));
      const visible = put(Int32Array.from({ length: rows }, (_, row) => before + row + 1));
      for (const kind of [ATTENTION, ATTENTION_I16] as const) {
        const numbers = kind === ATTENTION ? 'int8' : 'int16';
        const page = pageBytes({ numLayers: 1, numKvHeads: kvHeads, headDim: d }, pageTokens, numbers);
        const table = Int32Array.from({ length: Math.ceil(tokens / pageTokens) }, () => arena.take(page));
        const pages = put(table);
        const store = kind === ATTENTION ? kernels.kv_store : kernels.kv_store_i16;
        store(pages, 0, 0, keys, values, width, tokens, kvHeads, d, pageTokens);
        compare(rows * heads * d * 4, (work, y) =>
          work.attend(kind, y, q, heads * d, visible, pages, 0, rows, heads, kvHeads, d, pageTokens, tokens),
        );
      }
    }
  });

  test('records of activations, in one limb and two, of bytes and of words', async () => {
    const { put, compare } = await open(flavour);
    // Every remainder of a tile of four rows, and the five that are three and two.
    for (const rows of [1, 5, 8, 9, 13, 16, 21, 64]) {
      const [k, n] = [576, 1536];
      const x = put(randomFloats(rows * 2 * n, rows, 3));
      const weight = put(randomFloats(k, 7));
      for (const limbs of [1, 2] as const) {
        for (const words of [0, 1] as const) {
          const bytes = (inputs: number) => (rows * limbs * inputs * 72) / 32;
          compare(bytes(k), (work, y) => work.quantize(y, x, rows, k, limbs, words));
          compare(bytes(k), (work, y) => work.normAndQuantize(y, x, weight, rows, k, 1e-5, limbs, words));
          compare(bytes(n), (work, y) => work.swigluAndQuantize(y, x, rows, n, limbs, words));
        }
      }
    }
  });

  test('predictions of eight rows, greedy and drawn', async () => {
    const { put, compare } = await open(flavour);
    const [rows, vocab] = [8, 4099];
    const stride = 4100 * 4;
    const logits = randomFloats((rows * stride) / 4, 5, 12);
    for (const [temperature, topK, topP] of [
      [0, 0, 1],
      [0.7, 40, 0.9],
    ] as const) {
      compare(rows * 16, (work, y) => {
        const at = put(logits);
        for (let row = 0; row < rows; row++) {
          work.predict(y + row * 16, at + row * stride, vocab, 17, temperature, topK, topP, row / rows, row * 3 - 1);
        }
      });
    }
  });
});
