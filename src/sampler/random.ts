/**
 * Uniforms by address and not by sequence. The draw for an offset depends only on the seed and the offset. So the same
 * seed gives the same text on every host, whatever the order of decisions.
 */

/** MurmurHash3's 32-bit finalizer (Appleby): every input bit flips every output bit with probability about 1/2. */
function mix(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * A uniform in [0, 1), with 24 bits: it stays below 1 when stored in a Float32Array.
 * @param seed any safe integer
 * @param offset the completion offset that the draw is for, 0 or more
 * @param stream tells several draws for one offset apart
 */
export function uniform(seed: number, offset: number, stream = 0): number {
  const low = mix(seed + 0x9e3779b9);
  const high = mix(Math.floor(seed / 2 ** 32) ^ low);
  const h = mix(mix(high + Math.imul(offset, 0x9e3779b1)) ^ mix(Math.imul(stream, 0x7feb352d) + low));
  return (h >>> 8) / 2 ** 24;
}
