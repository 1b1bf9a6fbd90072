import { sumF32x4 } from './exp';

/**
 * y = x / sqrt(mean(x^2) + eps) * w per row. x, y (rows, d) f32, w (d) f32; y may be x. d is a multiple of 4.
 * Also Qwen3's per-head norm, with rows = tokens * heads and d = head_dim.
 */
export function rms_norm(y: usize, x: usize, w: usize, rows: i32, d: i32, eps: f32): void {
  const bytes = d * 4;
  for (let r = 0; r < rows; r++) {
    let acc = f32x4.splat(0);
    for (let j = 0; j < bytes; j += 16) {
      const v = v128.load(x + j);
      acc = f32x4.add(acc, f32x4.mul(v, v));
    }
    const inverse = f32x4.splat(<f32>1.0 / Mathf.sqrt(sumF32x4(acc) / <f32>d + eps));
    for (let j = 0; j < bytes; j += 16) {
      v128.store(y + j, f32x4.mul(f32x4.mul(v128.load(x + j), inverse), v128.load(w + j)));
    }
    x += bytes;
    y += bytes;
  }
}

/** x += bias per row. x (rows, ldx) f32, columns 0..n-1; bias (n) f32. n is a multiple of 4. */
export function add_bias(x: usize, ldx: i32, bias: usize, rows: i32, n: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < n * 4; j += 16) v128.store(x + j, f32x4.add(v128.load(x + j), v128.load(bias + j)));
    x += ldx * 4;
  }
}
