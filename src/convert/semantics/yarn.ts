/** YaRN's scale of cosines and sines, which GGUF and Hugging Face files leave to the reader. */

/** sqrt(1/t) of arXiv 2309.00071, section 3.3, with DeepSeek's `mscale`. */
export function yarnMagnitude(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}
