/** Checks drafts against the causal predictions of the forward that commits them. */
import type { Predictions } from '../model/model.ts';
import type { Canvas } from './canvas.ts';

export interface HeldDrafts {
  /** Drafts that agreed with the causal predictions. */
  readonly held: number;
  /** Drafts that were looked at, up to the first that did not hold. */
  readonly offered: number;
  /** The first offset that is not final. */
  readonly finalEnd: number;
  /** No draft was wrong: the predictions of the same forward after them may be used. */
  readonly intact: boolean;
}

/**
 * Keeps the longest prefix of drafts that the causal predictions agree with, plus one corrected or new id.
 *
 * Self-speculative decoding: the draft is the diffusion model's, the check is the same weights read causally, in the
 * forward that commits the draft. As every offset has its own uniform, what the check draws is exactly what block
 * length 1 would draw, so the text is the same, sampled or greedy (the rejection rule of Leviathan et al. 2023, section
 * 2.3, with a draft that is certain: accept if the draw is the draft, else keep the draw).
 * @param start offset of the first token that the forward committed; it was final already
 * @param causal prediction of the offset after each committed token (R)
 */
export function checkDrafts(canvas: Canvas, start: number, causal: Predictions): HeldDrafts {
  let held = 0;
  let offered = 0;
  for (let row = 0; row < causal.ids.length; row++) {
    const offset = start + row + 1;
    if (!canvas.isMask(offset)) {
      offered += 1;
      if (canvas.at(offset) === causal.ids[row]) {
        held += 1;
        canvas.judge(offset, causal, row);
        continue;
      }
      canvas.clear(offset + 1);
      canvas.write(offset, causal, row);
      return { held, offered, finalEnd: offset + 1, intact: false };
    }
    canvas.write(offset, causal, row);
  }
  return { held, offered, finalEnd: start + causal.ids.length + 1, intact: true };
}
