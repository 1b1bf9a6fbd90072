import { GROUP } from './constants';
import { RESCALE, smallF16 } from './half';

/** One embedding row of a matrix in `repack_q4`'s layout of `rows` rows. y (K) f32. */
export function embed_q4(y: usize, w: usize, wscale: usize, row: i32, rows: i32, k: i32): void {
  const groups = k / GROUP;
  const panel = row >> 3;
  const packed = (panel << 3) + 8 <= rows;
  const c = row & 7;
  for (let g = 0; g < groups; g++) {
    if (packed) {
      const scale = RESCALE * smallF16(wscale + (panel * groups + g) * 16 + c * 2);
      const from = w + (panel * groups + g) * 128 + c * 4;
      for (let v = 0; v < 4; v++) {
        for (let i = 0; i < 4; i++) {
          const b = <i32>load<u8>(from + v * 32 + i);
          store<f32>(y + (g * 32 + v * 8 + i) * 4, scale * <f32>((b & 15) - 8));
          store<f32>(y + (g * 32 + v * 8 + 4 + i) * 4, scale * <f32>((b >> 4) - 8));
        }
      }
    } else {
      const scale = RESCALE * smallF16(wscale + (row * groups + g) * 2);
      for (let j = 0; j < 16; j++) {
        const b = <i32>load<u8>(w + (row * groups + g) * 16 + j);
        store<f32>(y + (g * 32 + 2 * j) * 4, scale * <f32>((b & 15) - 8));
        store<f32>(y + (g * 32 + 2 * j + 1) * 4, scale * <f32>((b >> 4) - 8));
      }
    }
  }
}

/** One embedding row of a matrix in `repack_q8`'s layout of `rows` rows. y (K) f32. */
export function embed_q8(y: usize, w: usize, wscale: usize, row: i32, rows: i32, k: i32): void {
  const groups = k / GROUP;
  const panel = row >> 3;
  const packed = (panel << 3) + 8 <= rows;
  const c = row & 7;
  for (let j = 0; j < k; j++) {
    const g = j / GROUP;
    if (packed) {
      const scale = RESCALE * smallF16(wscale + (panel * groups + g) * 16 + c * 2);
      const b = load<i8>(w + panel * 8 * k + (j >> 2) * 32 + c * 4 + (j & 3));
      store<f32>(y + j * 4, scale * <f32>b);
    } else {
      const scale = RESCALE * smallF16(wscale + (row * groups + g) * 2);
      store<f32>(y + j * 4, scale * <f32>(<i32>load<u8>(w + row * k + j) - 128));
    }
  }
}
