/**
 * Rotary embedding, rotate-half convention, in place: for i < d/2
 *   x[i], x[i+d/2] = x[i] cos - x[i+d/2] sin, x[i+d/2] cos + x[i] sin.
 *
 * x (rows, ldx) f32 holding `heads` heads of d from column 0; row r is at position `start` + r.
 * table (positions, d) f32: d/2 cosines, then d/2 sines. d is a multiple of 8.
 */
export function rope(x: usize, ldx: i32, table: usize, start: i32, rows: i32, heads: i32, d: i32): void {
  const half = d * 2; // bytes
  for (let r = 0; r < rows; r++) {
    const cosines = table + (start + r) * d * 4;
    const sines = cosines + half;
    for (let h = 0; h < heads; h++) {
      const head = x + (r * ldx + h * d) * 4;
      for (let j = 0; j < half; j += 16) {
        const a = v128.load(head + j);
        const b = v128.load(head + half + j);
        const c = v128.load(cosines + j);
        const s = v128.load(sines + j);
        v128.store(head + j, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
        v128.store(head + half + j, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
      }
    }
  }
}
