import { GROUP } from './constants';

/**
 * int4 from the file's layout (rows of nibbles, low nibble = even k) to the GEMM's, in place.
 *
 * A panel is 8 rows (8 outputs). Within it, per group of 32 k: 4 pairs of vectors of 16 bytes, the first of a pair for
 * outputs 0..3, the second for 4..7; byte 4c+i of pair v holds output c's k = 8v+i in the low nibble and k = 8v+4+i in
 * the high one, so that one 4-byte activation splat meets 16 weights. Scales become [group][8]. A last panel of fewer
 * than 8 rows stays as it is (`gemm-edge.ts`).
 *
 * data (N, K/32, 16) u8, scales (N, K/32) f16; `panel` is scratch of 8*K/2 bytes.
 */
export function repack_q4(data: usize, scales: usize, rows: i32, k: i32, panel: usize): void {
  const rowBytes = k >> 1;
  const groups = k / GROUP;
  for (let r = 0; r + 8 <= rows; r += 8) {
    memory.copy(panel, data, 8 * rowBytes);
    for (let g = 0; g < groups; g++) {
      for (let c = 0; c < 8; c++) {
        const source = panel + c * rowBytes + g * 16;
        const to = data + g * 128 + c * 4;
        for (let v = 0; v < 4; v++) {
          // 8 nibbles n0..n7 (n0 lowest) become bytes n0|n4<<4, n1|n5<<4, ...
          const n = load<u32>(source + v * 4);
          const low = n & 0xffff;
          const high = n >>> 16;
          store<u32>(to + v * 32, spread(low) | (spread(high) << 4));
        }
      }
    }
    transposeScales(scales, groups, panel);
    data += 8 * rowBytes;
    scales += 16 * groups;
  }
}

/**
 * int8 from the file's layout (zero point 128) to the GEMM's, in place: panels of 8 rows, signed, per 4 k a pair of
 * vectors as above; byte 4c+i of pair v holds output c's k = 4v+i. Same scales as int4.
 *
 * data (N, K/32, 32) u8, scales (N, K/32) f16; `panel` is scratch of 8*K bytes.
 */
export function repack_q8(data: usize, scales: usize, rows: i32, k: i32, panel: usize): void {
  const groups = k / GROUP;
  for (let r = 0; r + 8 <= rows; r += 8) {
    memory.copy(panel, data, 8 * k);
    for (let c = 0; c < 8; c++) {
      for (let j = 0; j < k; j += 4) {
        store<u32>(data + j * 8 + c * 4, load<u32>(panel + c * k + j) ^ 0x80808080);
      }
    }
    transposeScales(scales, groups, panel);
    data += 8 * k;
    scales += 16 * groups;
  }
}

/** Four nibbles to the low halves of four bytes. */
// @ts-ignore: decorator
@inline
function spread(n: u32): u32 {
  n = (n | (n << 8)) & 0x00ff00ff;
  return (n | (n << 4)) & 0x0f0f0f0f;
}

function transposeScales(scales: usize, groups: i32, panel: usize): void {
  memory.copy(panel, scales, 16 * groups);
  for (let g = 0; g < groups; g++) {
    for (let c = 0; c < 8; c++) store<u16>(scales + g * 16 + c * 2, load<u16>(panel + (c * groups + g) * 2));
  }
}
