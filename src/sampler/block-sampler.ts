/** The block loop: masks in, decided ids out. Pure but for the model it is given. */
import type { ModelConfig } from '../model/config.ts';
import type { Predictions } from '../model/model.ts';
import type { Forwards } from './forwards.ts';
import type { Policy } from './policies/index.ts';

export interface BlockSettings {
  /** New tokens at most, at least 1; the last block is shortened to meet it. */
  readonly maxTokens: number;
  /** Tokens per block; 1 with `logitShift` is autoregressive decoding, without a single denoise. */
  readonly blockLength: number;
  readonly policy: Policy;
}

/**
 * One forward: which positions it decided, as absolute completion offsets, ascending. With `logitShift` the first id of
 * a block comes from the prefill or the commit before it, so every id of a completion is in exactly one step.
 */
export interface StepEvent {
  readonly type: 'step';
  readonly block: number;
  readonly positions: Int32Array; // (D)
  readonly ids: Int32Array; // (D)
  readonly probs: Float32Array; // (D)
}

export type SamplerEvent =
  | StepEvent
  /**
   * Ids that no undecided one precedes. No policy revises a decision, so they are final before their block is. `end` is
   * set on the last one: an EOS (never among `ids`), or `maxTokens` reached.
   */
  | {
      readonly type: 'settled';
      readonly block: number;
      readonly ids: Int32Array; // (S)
      readonly end: 'eos' | 'length' | null;
    };

/**
 * Decodes block by block after a prefill. The final block is never committed: its KV would serve nobody.
 * @param first the prefill's prediction (R = 1); used only with `logitShift`, as the first id of block 0
 * @throws the signal's reason on abort, whatever the model throws, and Error if a model predicts a mask
 */
export async function* sampleBlocks(
  forwards: Forwards,
  config: ModelConfig,
  settings: BlockSettings,
  first: Predictions,
): AsyncGenerator<SamplerEvent, void, void> {
  const { maxTokens, blockLength } = settings;
  let known = first;
  let offset = 0;
  for (let block = 0; ; block++) {
    const ids = new Int32Array(Math.min(blockLength, maxTokens - offset)).fill(config.maskTokenId); // (B)
    let told = 0; // ids of this block that were reported as settled
    const settle = (end: 'eos' | 'length' | null): SamplerEvent => {
      const from = told;
      told = settledLength(ids, config);
      return { type: 'settled', block, ids: ids.slice(from, told), end };
    };
    if (config.logitShift) {
      yield { type: 'step', block, ...decide(ids, offset, Int32Array.of(0), known, Int32Array.of(0), config) };
      yield settle(null);
    }
    for await (const decided of denoiseBlock(forwards, config, settings.policy, ids, offset)) {
      yield { type: 'step', block, ...decided };
      yield settle(null);
    }
    offset += ids.length;
    if (hasEnded(ids, config) || offset >= maxTokens) {
      yield settle(hasEnded(ids, config) ? 'eos' : 'length');
      return;
    }
    known = await forwards.commit(ids, offset);
  }
}

interface Decided {
  readonly positions: Int32Array; // (D) absolute completion offsets
  readonly ids: Int32Array; // (D)
  readonly probs: Float32Array; // (D)
}

/** Fills the masks of `ids` in place, one yield per denoise; stops early once an EOS makes the rest irrelevant. */
async function* denoiseBlock(
  forwards: Forwards,
  config: ModelConfig,
  policy: Policy,
  ids: Int32Array, // (B)
  offset: number,
): AsyncGenerator<Decided, void, void> {
  const initiallyMasked = maskedPositions(ids, config.maskTokenId).length;
  for (let step = 0; ; step++) {
    const positions = maskedPositions(ids, config.maskTokenId); // (R)
    if (positions.length === 0 || hasEnded(ids, config)) return;
    const predictions = await forwards.denoise(ids, positions, offset);
    const rows = policy(predictions, positions, { step, initiallyMasked }); // (D)
    if (rows.length === 0) throw new Error('the policy decided nothing: the block would never finish');
    yield decide(ids, offset, positions, predictions, rows, config);
  }
}

/** Writes the chosen rows into the block. */
function decide(
  ids: Int32Array, // (B)
  offset: number,
  positions: Int32Array, // (R)
  predictions: Predictions,
  rows: Int32Array, // (D)
  config: ModelConfig,
): Decided {
  for (const row of rows) {
    const id = predictions.ids[row]!;
    if (id === config.maskTokenId) throw new Error('the model predicted the mask token');
    ids[positions[row]!] = id;
  }
  return {
    positions: rows.map((row) => offset + positions[row]!),
    ids: rows.map((row) => predictions.ids[row]!),
    probs: Float32Array.from(rows, (row) => predictions.probs[row]!),
  };
}

function maskedPositions(ids: Int32Array, maskTokenId: number): Int32Array {
  const masked: number[] = [];
  for (const [position, id] of ids.entries()) if (id === maskTokenId) masked.push(position);
  return Int32Array.from(masked);
}

/** Ids before the first mask or EOS. */
function settledLength(ids: Int32Array, config: ModelConfig): number {
  const end = ids.findIndex((id) => id === config.maskTokenId || config.eosTokenIds.includes(id));
  return end === -1 ? ids.length : end;
}

/** Whether an EOS stands with no mask before it. */
function hasEnded(ids: Int32Array, config: ModelConfig): boolean {
  const next = ids[settledLength(ids, config)];
  return next !== undefined && next !== config.maskTokenId;
}
