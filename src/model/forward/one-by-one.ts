import type { Advanced, DiffusionModel, Predictions, SequenceForward } from '../model.ts';

const NONE: Predictions = { ids: new Int32Array(), probs: new Float32Array(), entropies: new Float32Array() };

/** A batch as one commit, denoise or advance after another: for models whose forward takes one sequence. */
export async function oneByOne(
  model: Pick<DiffusionModel, 'commit' | 'denoise' | 'advance'>,
  batch: readonly SequenceForward[],
): Promise<readonly Advanced[]> {
  const answers: Advanced[] = [];
  for (const { cache, clean, block, ask } of batch) {
    if (clean.length > 0 && block.length > 0) {
      answers.push(await model.advance(clean, block, cache, ask));
    } else if (clean.length > 0) {
      answers.push({ committed: await model.commit(clean, cache, ask), block: NONE });
    } else {
      const { blockSampling, blockTargets, ...rest } = ask;
      const denoised = await model.denoise(block, cache, { ...rest, sampling: blockSampling, targets: blockTargets });
      answers.push({ committed: NONE, block: denoised });
    }
  }
  return answers;
}
