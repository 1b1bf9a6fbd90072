/** Converts unquantized element types (little-endian) to float32. */
/// <reference lib="esnext.float16" />
/** Unquantized element types, little-endian, to float32. */

export const ELEMENT_BYTES = { F32: 4, F16: 2, BF16: 2 } as const;
export type ElementType = keyof typeof ELEMENT_BYTES;

/** @param bytes start at a multiple of 4 in their buffer. */
export function elementsToFloat32(type: ElementType, bytes: Uint8Array<ArrayBuffer>, out: Float32Array): void {
  const { buffer, byteOffset } = bytes;
  if (type === 'F32') {
    out.set(new Float32Array(buffer, byteOffset, out.length));
  } else if (type === 'F16') {
    out.set(new Float16Array(buffer, byteOffset, out.length));
  } else {
    // A bfloat16 is the upper half of a float32.
    const halves = new Uint16Array(buffer, byteOffset, out.length);
    const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
    for (let i = 0; i < words.length; i++) words[i] = halves[i]! << 16;
  }
}
