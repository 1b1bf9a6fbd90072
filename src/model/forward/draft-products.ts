/**
 * Adapters on the mask rows of a tile. The other rows pass the base's matrices alone, so their bits are the base's.
 * Samragh et al. 2025, "Your LLM Knows the Future", arXiv 2507.11851: gated low-rank adaptation.
 */
import type { Kernels } from '../../kernels/kernels.ts';
import type { Work } from '../../kernels/work.ts';
import type { Adapter } from '../decoder-weights.ts';
import { type Activations, limbsOf, productKind, words } from '../linear.ts';
import { draftWidth } from '../manifest.ts';
import type { Tensor } from '../weights.ts';
import { draftRecordBytes, MAX_ROWS, type Workspace } from '../workspace.ts';

/** Rows `from`..`to` of a forward. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** y (rows, ldy): the output of a matrix, for a tile's first row, and the adapter that corrects it. */
export interface DraftOutput {
  readonly y: number;
  readonly ldy: number;
  readonly adapter: Adapter;
}

/** Runs of the mask token in `ids`, ascending. */
export function maskRuns(ids: Int32Array, maskTokenId: number): readonly RowRange[] {
  const runs: RowRange[] = [];
  for (let from = 0; from < ids.length; from++) {
    if (ids[from] !== maskTokenId) continue;
    let to = from + 1;
    while (ids[to] === maskTokenId) to++;
    runs.push({ from, to });
    from = to;
  }
  return runs;
}

/** The parts of `runs` in rows `first`..`first + count`, counted from `first`. */
function runsWithin(runs: readonly RowRange[], first: number, count: number): readonly RowRange[] {
  return runs
    .map(({ from, to }) => ({ from: Math.max(from - first, 0), to: Math.min(to - first, count) }))
    .filter(({ from, to }) => from < to);
}

export class DraftProducts {
  readonly #kernels: Kernels;
  readonly #at: Workspace;
  readonly #work: Work;
  readonly #limbs: 1 | 2;
  /** Inputs of B: the rank in whole groups. */
  readonly #width: number;

  constructor(kernels: Kernels, workspace: Workspace, work: Work, activations: Activations, rank: number) {
    this.#kernels = kernels;
    this.#at = workspace;
    this.#work = work;
    this.#limbs = limbsOf(activations);
    this.#width = draftWidth(rank);
  }

  /**
   * y += B A x on mask rows, for at most three matrices of one input. Products of the base that write y are finished.
   * @param x input of f32 weights; quantized weights read the records of the tile that are there
   * @param first row of the forward that the outputs begin with, and `rows` how many they have
   * @param runs mask rows of the forward
   */
  add(outputs: readonly DraftOutput[], x: number, first: number, rows: number, runs: readonly RowRange[]): void {
    const masks = runsWithin(runs, first, rows);
    if (masks.length === 0) return;
    const width = this.#width;
    // Records lie in tiles of rows, so A reads them all: the few clean rows of a draft cost less than a gather.
    for (const [i, { adapter }] of outputs.entries()) {
      this.#multiply(this.#low(i, 0), width, 0, adapter.a.type === 'f32' ? x : this.#at.q8, adapter.a, rows);
    }
    this.#work.finish();
    for (const [i, { y, ldy, adapter }] of outputs.entries()) {
      for (const { from, to } of masks) {
        const input = this.#input(i, from, to - from, adapter.b);
        this.#multiply(y + from * ldy * 4, ldy, 1, input, adapter.b, to - from);
      }
    }
    this.#work.finish();
  }

  /** Address of A x of matrix `i`, at row `row`. */
  #low(i: number, row: number): number {
    return this.#at.drafts + (i * MAX_ROWS + row) * this.#width * 4;
  }

  /** A x of some rows as input of B: floats, or records of their own. */
  #input(i: number, row: number, rows: number, b: Tensor): number {
    const low = this.#low(i, row);
    if (b.type === 'f32') return low;
    const records = this.#at.draftRecords + (i * MAX_ROWS + row) * draftRecordBytes(this.#width);
    this.#kernels.quantize(records, low, rows, this.#width, this.#limbs, words(b), 0, rows);
    return records;
  }

  #multiply(y: number, ldy: number, accumulate: 0 | 1, x: number, w: Tensor, rows: number): void {
    for (const { from, to, data, scales } of w.parts) {
      const at = y + from * 4;
      this.#work.add(productKind(w), at, ldy, accumulate, x, data, scales, rows, to - from, w.k, this.#limbs);
    }
  }
}
