/** Describes one forward, for the `diffusing` extension. */
import type { EngineStep } from '../../engine/request.ts';

export function stepOf({ block, positions, probs, texts, revised, remasked }: EngineStep) {
  const tokens = texts.map((text, i) => {
    const position = positions[i]!;
    return { position, text, prob: probs[i]!, revised: revised.includes(position) };
  });
  return { block, tokens, remasked: Array.from(remasked) };
}
