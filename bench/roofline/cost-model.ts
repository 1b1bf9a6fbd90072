/** The cost of a forward by its number of positions, and the width that pays best. Arithmetic only. */

/** The work of a forward of M positions: `bytes` for any M, `macs` for each position. */
export interface Work {
  readonly bytes: number;
  readonly macs: number;
}

/** The speed of one core. */
export interface Host {
  /** GB/s */
  readonly bandwidth: number;
  /** GMAC/s */
  readonly rate: number;
}

/** Milliseconds of a forward: the slower of reading the weights and multiplying. Williams et al. 2009, "Roofline". */
export function rooflineMs({ bytes, macs }: Work, { bandwidth, rate }: Host, positions: number): number {
  return Math.max(bytes / bandwidth, (positions * macs) / rate) / 1e6;
}

/**
 * Tokens that a forward of M positions decides on average, where a drafted position holds with probability
 * `acceptance` if all before it do: 1 + a + ... + a^(M-1). One token is certain, as in Leviathan et al. 2022, section 3.1.
 */
export function expectedTokens(acceptance: number, positions: number): number {
  return acceptance === 1 ? positions : (1 - acceptance ** positions) / (1 - acceptance);
}

export interface BestWidth {
  readonly positions: number;
  /** Tokens per second over those of one position a forward. */
  readonly speedup: number;
}

/** @param costs c(M)/c(1) by M. */
export function bestWidth(costs: ReadonlyMap<number, number>, acceptance: number): BestWidth {
  let best: BestWidth = { positions: 1, speedup: 1 };
  for (const [positions, cost] of costs) {
    const speedup = expectedTokens(acceptance, positions) / cost;
    if (speedup > best.speedup) best = { positions, speedup };
  }
  return best;
}
