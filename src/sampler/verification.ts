/** Checks drafts against the causal predictions of the forward that commits them. */
import type { Predictions } from '../model/model.ts';
import type { Canvas } from './canvas.ts';
import type { DraftSource } from './drafts/drafter.ts';

export interface HeldDrafts {
  /** Drafts that agreed with the causal predictions. */
  readonly held: number;
  /** Where the drafts are from that were checked: all up to the first that did not hold. */
  readonly offered: readonly DraftSource[];
  /** The first offset that is not final. */
  readonly finalEnd: number;
  /** No draft was wrong: the predictions of the same forward after them may be used. */
  readonly intact: boolean;
}

/**
 * Keeps the longest prefix of drafts that the causal predictions agree with, plus one corrected or new id.
 *
 * This is self-speculative decoding: the model drafts by denoising, and the forward that commits the drafts checks them with
 * the same weights read causally. Every offset has its own uniform, so the check draws exactly the id that block length 1
 * would draw. The text is therefore the same, sampled or greedy. The rule is that of Leviathan et al. 2023, section 2.3,
 * for a certain draft: accept the draft if the draw equals it, else keep the draw.
 * @param start offset of the first token that the forward committed; it was final already
 * @param causal prediction of the offset after each committed token (R)
 */
export function checkDrafts(canvas: Canvas, start: number, causal: Predictions): HeldDrafts {
  let held = 0;
  const offered: DraftSource[] = [];
  for (let row = 0; row < causal.ids.length; row++) {
    const offset = start + row + 1;
    if (!canvas.isMask(offset)) {
      offered.push(canvas.source(offset));
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
