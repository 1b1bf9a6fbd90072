import type { DotProduct } from '../kernels/dot-product.ts';
import type { CostCurve } from './cost-curve.ts';

const curve = (costs: readonly number[]): CostCurve => ({ source: 'stored', positions: [1, 2, 3, 4, 8, 16], costs });

/** AMD Zen 3. One position waits for the weights to come from memory, so a draft or two beside it cost little. */
const WITHOUT_VNNI = curve([1, 1.16, 1.4, 1.74, 3.3, 6.75]);
/** Intel Sapphire Rapids. Products are faster there, so still more of one position's time goes to waiting. */
const WITH_VNNI = curve([1, 1.16, 1.3, 1.5, 2.62, 4.95]);

/**
 * What `npm run bench -- roofline` measured of the project's kernels, for hosts whose clock stands still. ARM was not
 * measured: `sdot` has the throughput of `vpdpbusd`, so it gets its curve.
 */
export const STORED_COSTS: Readonly<Record<DotProduct, CostCurve>> = {
  vpdpbusd: WITH_VNNI,
  vpmaddubsw: WITHOUT_VNNI,
  sdot: WITH_VNNI,
  other: WITHOUT_VNNI,
  /** Sapphire Rapids. Products take so long that one position hardly waits. */
  plain: curve([1, 1.27, 1.6, 1.97, 3.84, 7.56]),
};
