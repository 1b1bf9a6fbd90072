import { GROUP } from './constants';
import { scalesF16x4, scaleF16 } from './half';

/**
 * y = x W^T for int8 activations and int8 weights repacked by `repack_q8`; arguments as in `gemm_q8_q4`
 * (no correction: the weights are signed). Exact: products in i16, sums in i32.
 * `limbs` as there.
 */
export function gemm_q8_q8(
  y: usize,
  ldy: i32,
  accumulate: i32,
  q: usize,
  scale: usize,
  w: usize,
  wscale: usize,
  rows: i32,
  n: i32,
  k: i32,
  limbs: i32,
): void {
  const groups = k / GROUP;
  const panels = n >> 2;
  for (let p = 0; p < panels; p++) {
    for (let r = 0; r < rows; r++) {
      let f = i32x4.splat(0);
      for (let lg = 0; lg < groups * limbs; lg++) {
        const l = r * limbs + lg / groups;
        const g = lg % groups;
        const a = q + l * k;
        let low = i32x4.splat(0); // outputs 0, 1: two sums each
        let high = i32x4.splat(0); // outputs 2, 3
        for (let v = 0; v < 8; v++) {
          const weights = v128.load(w + g * 128 + v * 16);
          const x = v128.load32_splat(a + g * 32 + v * 4);
          low = i32x4.add(low, i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_low_i8x16_s(x, weights)));
          high = i32x4.add(high, i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_high_i8x16_s(x, weights)));
        }
        const dot = i32x4.add(
          v128.shuffle<i32>(low, high, 0, 2, 4, 6),
          v128.shuffle<i32>(low, high, 1, 3, 5, 7),
        );
        const scales = f32x4.mul(scalesF16x4(wscale + g * 8), v128.load32_splat(scale + (l * groups + g) * 4));
        f = f32x4.add(f, f32x4.mul(f32x4.convert_i32x4_s(dot), scales));
      }
      const at = y + (r * ldy + p * 4) * 4;
      v128.store(at, accumulate ? f32x4.add(v128.load(at), f) : f);
    }
    w += 4 * k;
    wscale += 8 * groups;
  }
  // The last n % 4 outputs, still in the file's layout (zero point 128).
  const done = panels << 2;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < n - done; c++) {
      let sum: f32 = 0;
      for (let lg = 0; lg < groups * limbs; lg++) {
        const l = r * limbs + lg / groups;
        const g = lg % groups;
        let dot = 0;
        for (let j = 0; j < 32; j++) {
          dot += <i32>load<i8>(q + l * k + g * 32 + j) * (<i32>load<u8>(w + c * k + g * 32 + j) - 128);
        }
        sum += <f32>dot * (scaleF16(wscale + (c * groups + g) * 2) * load<f32>(scale + (l * groups + g) * 4));
      }
      const at = y + (r * ldy + done + c) * 4;
      store<f32>(at, accumulate ? load<f32>(at) + sum : sum);
    }
  }
}
