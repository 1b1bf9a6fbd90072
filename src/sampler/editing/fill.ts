/** Fills the masks of a hole in an edit, several at once where the model is sure. */
import { confidence } from '../policies/confidence.ts';
import type { EditForwards } from './edit-forwards.ts';
import type { EditingSettings } from './settings.ts';

export interface Filled {
  readonly ids: Int32Array; // (masks)
  /** Mean probability of the ids when they were decided. */
  readonly confidence: number;
}

/**
 * Fills the masks between the left and right context of a block, several at once where the model is sure.
 * @param left visible tokens before the hole, from the first uncommitted one on; 1 or more
 * @param right visible tokens after it
 * @param usable whether an id may stand in the text
 * @returns null as soon as no edit is possible: an id may not stand in the text, or the mean is at most `tauEdit`
 */
export async function fill(
  forwards: EditForwards,
  left: Int32Array,
  masks: number,
  right: Int32Array,
  usable: (id: number) => boolean,
  { tauEdit, threshold }: EditingSettings,
): Promise<Filled | null> {
  const policy = confidence.create({ threshold }, 0);
  const mask = forwards.maskTokenId;
  const block = Int32Array.of(...left, ...new Int32Array(masks).fill(mask), ...right);
  const open = new Set(Array.from({ length: masks }, (_, i) => left.length + i));
  let doubt = 0;
  for (let step = 0; open.size > 0; step++) {
    const positions = Int32Array.from(open);
    const predictions = await forwards.predict(block, positions);
    for (const row of policy(predictions, positions, { step, initiallyMasked: masks, offset: 0 })) {
      const [id, position] = [predictions.ids[row]!, positions[row]!];
      if (!usable(id)) return null;
      doubt += 1 - predictions.probs[row]!;
      block[position] = id;
      open.delete(position);
    }
    if (1 - doubt / masks <= tauEdit) return null;
  }
  return { ids: block.slice(left.length, left.length + masks), confidence: 1 - doubt / masks };
}
