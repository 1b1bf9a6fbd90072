import { sumF32x4 } from './exp';

/**
 * y = x W^T in f32: the parity path for unquantized checkpoints, not a fast one.
 * y (rows, ldy), x (rows, K), w (n, K) row-major; K any.
 */
export function gemm_f32(
  y: usize,
  ldy: i32,
  accumulate: i32,
  x: usize,
  w: usize,
  rows: i32,
  n: i32,
  k: i32,
): void {
  const whole = k & ~3;
  for (let c = 0; c < n; c++) {
    for (let r = 0; r < rows; r++) {
      let acc = f32x4.splat(0);
      for (let j = 0; j < whole; j += 4) {
        acc = f32x4.add(acc, f32x4.mul(v128.load(x + (r * k + j) * 4), v128.load(w + (c * k + j) * 4)));
      }
      let sum = sumF32x4(acc);
      for (let j = whole; j < k; j++) sum += load<f32>(x + (r * k + j) * 4) * load<f32>(w + (c * k + j) * 4);
      const at = y + (r * ldy + c) * 4;
      store<f32>(at, accumulate ? load<f32>(at) + sum : sum);
    }
  }
}
