/**
 * Rows of one request in a forward.
 * @param drafts that are checked, after one final token
 * @param masks predicted after those, each for a draft
 */
export type RowsOf = (drafts: number, masks: number) => number;

/** A token's own row predicts the next id: the first mask for a draft stands one place later. */
export const shifted: RowsOf = (drafts, masks) => 1 + drafts + masks;

/**
 * A mask in the place after each token predicts the next id (S2D2, arXiv 2603.25702). A window of masks for drafts begins in
 * that place too, since its first mask is for the next id.
 */
export const byMasks: RowsOf = (drafts, masks) => 2 * (1 + drafts) + (masks > 0 ? masks + 1 : 0);
