// V8 rebuilds a `v128` constant with three instructions at every use; a load is one.

/** 16 x 0x0f. */
export const NIBBLE_MASK: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);
/** 8 x i16 15. */
export const NIBBLE_MASK_I16: usize = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15], 16);
/** 8 x i16 1. */
export const ONES_I16: usize = memory.data<u16>([1, 1, 1, 1, 1, 1, 1, 1], 16);

/** Weights and activations share one scale per group of this many k. */
export const GROUP: i32 = 32;
