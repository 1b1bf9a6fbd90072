/**
 * One series of forwards that every runtime has to answer alike: whole, cached, advanced, truncated, drawn, side by side.
 * It runs in a page too, so it imports nothing of Node.
 */
import type { Adjustment, DiffusionModel, KvCache, Predictions, Sampling } from '../../src/model/model.ts';

type Answers = Readonly<Record<string, Predictions>>;

export interface Conformance {
  readonly answers: Answers;
  /** K and V of `CONTEXT` committed tokens. */
  readonly kv: readonly Float32Array[];
  /** Room in the pool when everything was free again, less that before. */
  readonly lostTokens: number;
}

const CONTEXT = 21;
const BLOCK = 6;
const ROOM = 96;

const ids = Int32Array.from({ length: 80 }, (_, i) => (i * 37 + 11) % 256);
const targets = ids.map((id) => (id * 5 + 3) % 256);
const uniforms = Float32Array.from({ length: 16 }, (_, i) => (((i * 7) % 16) + 0.37) / 16);

function sampling(rows: number, change: Partial<Sampling>): Sampling {
  return { temperature: 0.9, topP: 1, topK: 0, uniforms: uniforms.subarray(0, rows), ...change };
}

const change = (id: number, delta: number): Adjustment => ({ ids: Int32Array.of(id), deltas: Float32Array.of(delta) });

/** @param readKv copies a cache's tensors, each (length, kvHeads * d), K and V of every layer by turns */
export async function runConformance(
  model: DiffusionModel,
  readKv: (cache: KvCache) => Promise<readonly Float32Array[]>,
): Promise<Conformance> {
  const { maskTokenId, logitShift } = model.config;
  const before = model.freeTokens;
  const caches: KvCache[] = [];
  const open = () => {
    const cache = model.createCache(ROOM);
    caches.push(cache);
    return cache;
  };
  const answers: Record<string, Predictions> = {};
  const part = (from: number, to: number) => ids.subarray(from, to);
  const block = ids.slice(CONTEXT, CONTEXT + BLOCK).fill(maskTokenId, 1);
  const positions = Int32Array.from({ length: 4 }, (_, i) => i + (logitShift ? 1 : 0));
  const draft = { positions, targets: targets.subarray(0, 4) };

  const whole = open();
  answers.context = await model.commit(part(0, CONTEXT), whole, { rows: 'all', targets: part(1, CONTEXT + 1) });
  const kv = await readKv(whole);
  answers.block = await model.denoise(block, whole, draft);
  answers.blockAgain = await model.denoise(block, whole, draft);

  // The same context in pieces of whole blocks, which block-causal context asks for.
  const pieces = open();
  for (const [from, to] of [
    [0, 8],
    [8, 16],
    [16, CONTEXT],
  ] as const) {
    // biome-ignore format: three pieces
    await model.commit(part(from, to), pieces, { rows: 'last' });
  }
  answers.piecesBlock = await model.denoise(block, pieces, draft);

  const clean = part(CONTEXT, CONTEXT + 3);
  const cleanTargets = targets.subarray(0, 3);
  answers.clean = await model.commit(clean, whole, { rows: 'all', targets: cleanTargets });
  answers.nextBlock = await model.denoise(block, whole, draft);
  const advanced = await model.advance(clean, block, pieces, {
    rows: 'all',
    targets: cleanTargets,
    positions,
    blockTargets: draft.targets,
  });
  answers.advancedClean = advanced.committed;
  answers.advancedBlock = advanced.block;

  whole.truncate(16);
  answers.truncated = await model.denoise(block, whole, draft);
  const short = open();
  await model.commit(part(0, 16), short, { rows: 'last' });
  answers.neverLonger = await model.denoise(block, short, draft);

  const drawn = (change: Partial<Sampling>) =>
    model.denoise(block, short, { ...draft, sampling: sampling(positions.length, change) });
  answers.drawnFromAll = await drawn({ temperature: 1.3 });
  answers.drawnFromTop = await drawn({ topK: 40, topP: 0.9 });
  answers.drawnFromOne = await drawn({ topK: 1 });
  answers.drawnFromLikely = await drawn({ minP: 0.3, temperature: 1.3 });
  answers.drawnFromLikelyMass = await drawn({ minP: 0.05, topK: 50, topP: 0.8 });
  const repeated = Int32Array.from(new Set(ids.subarray(0, CONTEXT)));
  const penalties = Array.from(positions, (_, i) => ({
    ids: repeated,
    deltas: new Float32Array(repeated.length),
    factors: Float32Array.from(repeated, () => [1.3, 2, 0.5, 5][i % 4]!),
  }));
  answers.repeated = await drawn({ temperature: 0, adjustments: penalties });
  answers.repeatedDrawn = await drawn({ temperature: 0.8, minP: 0.1, adjustments: penalties });
  const [best = 0] = answers.neverLonger.ids;
  const adjustments = [change(best, -100), change(77, 100), change(5, 0), change(78, 100)];
  answers.adjusted = await drawn({ temperature: 0, adjustments });
  const both = await model.advance(clean, block, short, {
    rows: 'last',
    sampling: sampling(1, { temperature: 0, adjustments: [change(40, 100)] }),
    positions: positions.subarray(0, 2),
    blockSampling: sampling(2, { temperature: 0, adjustments: [change(41, 100), change(42, 100)] }),
  });
  answers.adjustedClean = both.committed;
  answers.adjustedBlock = both.block;

  // Longer than a tile; and two requests at once.
  const [one, two] = [open(), open()];
  const [left, right] = await Promise.all([
    model.commit(ids, one, { rows: 'last' }),
    model.commit(part(0, CONTEXT), two, { rows: 'last', targets: part(0, 1) }),
  ]);
  answers.long = left;
  answers.beside = right;

  for (const cache of caches) cache.free();
  return { answers, kv, lostTokens: before - model.freeTokens };
}
