import { expF32x4 } from './exp';

/** y = silu(gate) * up with silu(g) = g / (1 + e^-g). gateUp (rows, 2n) f32: gate then up; y (rows, n). n % 4 = 0. */
export function swiglu(y: usize, gateUp: usize, rows: i32, n: i32): void {
  const bytes = n * 4;
  const one = f32x4.splat(1.0);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < bytes; j += 16) {
      const g = v128.load(gateUp + j);
      const up = v128.load(gateUp + bytes + j);
      // e^-g past 2^127 would be infinite; silu is 0 to f32 precision long before.
      const e = expF32x4(f32x4.min(f32x4.neg(g), f32x4.splat(87.0)));
      v128.store(y + j, f32x4.mul(f32x4.div(g, f32x4.add(one, e)), up));
    }
    gateUp += 2 * bytes;
    y += bytes;
  }
}
