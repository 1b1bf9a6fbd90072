/**
 * Numbers as types: a kernel written once is compiled for each tile height, with the branches on it decided at compile
 * time. `rowsOf<Rows3>()` is 3.
 */
@unmanaged
export class Rows1 {
  a!: u8;
}
@unmanaged
export class Rows2 {
  a!: u8;
  b!: u8;
}
@unmanaged
export class Rows3 {
  a!: u8;
  b!: u8;
  c!: u8;
}
@unmanaged
export class Rows4 {
  a!: u8;
  b!: u8;
  c!: u8;
  d!: u8;
}

// @ts-ignore: decorator
@inline
export function rowsOf<T>(): i32 {
  return offsetof<T>();
}

/** Adds up two limbs of one output row when `pair`, else writes the row itself; with `accumulate`, on top of y. */
// @ts-ignore: decorator
@inline
export function write(y: usize, accumulate: i32, f: v128): void {
  v128.store(y, accumulate ? f32x4.add(v128.load(y), f) : f);
}

/** Writes a tile of two outputs vectors by up to four rows. With `pair`, rows 2i and 2i+1 are limbs of one row. */
// @ts-ignore: decorator
@inline
export function writeTile<T>(
  y: usize, stride: i32, accumulate: i32, pair: i32,
  f00: v128, f10: v128, f01: v128, f11: v128, f02: v128, f12: v128, f03: v128, f13: v128,
): void {
  if (pair) {
    write(y, accumulate, f32x4.add(f00, f01));
    write(y + 16, accumulate, f32x4.add(f10, f11));
    if (rowsOf<T>() == 4) {
      write(y + stride, accumulate, f32x4.add(f02, f03));
      write(y + stride + 16, accumulate, f32x4.add(f12, f13));
    }
    return;
  }
  write(y, accumulate, f00);
  write(y + 16, accumulate, f10);
  if (rowsOf<T>() > 1) {
    write(y + stride, accumulate, f01);
    write(y + stride + 16, accumulate, f11);
  }
  if (rowsOf<T>() > 2) {
    write(y + 2 * stride, accumulate, f02);
    write(y + 2 * stride + 16, accumulate, f12);
  }
  if (rowsOf<T>() > 3) {
    write(y + 3 * stride, accumulate, f03);
    write(y + 3 * stride + 16, accumulate, f13);
  }
}
