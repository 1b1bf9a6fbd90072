import type { Sampling } from '../model/model.ts';
import { uniform } from './random.ts';

export interface DrawSettings {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly seed: number;
}

/** The sampling for the given completion offsets (R), or undefined for argmax. */
export type Draw = (offsets: Int32Array) => Sampling | undefined;

/**
 * An offset keeps its uniform in every denoise step until it is decided. A fresh one per step would let a
 * confidence policy roll again until a likely id comes up, which sharpens the distribution unasked.
 */
export function createDraw(settings: DrawSettings): Draw {
  const { temperature, topP, topK, seed } = settings;
  if (temperature === 0) return () => undefined;
  return (offsets) => ({
    temperature,
    topP,
    topK,
    uniforms: Float32Array.from(offsets, (offset) => uniform(seed, offset)), // (R)
  });
}
