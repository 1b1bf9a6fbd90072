import { describe, expect, it } from 'vitest';
import { TrajectoryRecorder } from '../../scripts/trajectory-record.ts';

function step(positions: number[], ids: number[], probs: number[], remasked: number[] = []) {
  return {
    positions: Int32Array.from(positions),
    ids: Int32Array.from(ids),
    probs: Float32Array.from(probs),
    remasked: Int32Array.from(remasked),
  };
}

describe('a recorded trajectory', () => {
  it('keeps every step and counts the last decision of each offset', () => {
    const recorder = new TrajectoryRecorder();
    recorder.add(step([0, 2], [7, 9], [0.5, 0.25]));
    recorder.add(step([1], [8], [0.5], [2]));
    recorder.add(step([2], [6], [0.5]));
    const record = recorder.record([1, 2]);
    expect(record).toMatchObject({
      prompt: [1, 2],
      ids: [7, 8, 6],
      steps: [[0, 2], [1], [2]],
      step_ids: [[7, 9], [8], [6]],
      remasked: [[], [2], []],
    });
    expect(record.log_likelihood).toBeCloseTo(3 * Math.log(0.5), 3);
  });

  it('ends before the first offset that is open', () => {
    const recorder = new TrajectoryRecorder();
    recorder.add(step([0, 2], [7, 9], [1, 0.5]));
    expect(recorder.record([])).toMatchObject({ ids: [7], log_likelihood: 0 });
    expect(new TrajectoryRecorder().record([3])).toMatchObject({ prompt: [3], ids: [], steps: [] });
  });
});
