/** Decides what a request asks of the sampler, on this model and this host. */
import { checksByMasks, type ModelConfig, predictsNext, uncommittedPrompt } from '../../model/config.ts';
import type { DiffusionModel } from '../../model/model.ts';
import type { BlockSettings } from '../../sampler/block-sampler.ts';
import { DRAFT_SOURCES, type Drafter } from '../../sampler/drafts/drafter.ts';
import { Drafts } from '../../sampler/drafts/drafts.ts';
import type { DraftAcceptance } from '../../sampler/drafts/learned.ts';
import { LookupDrafts } from '../../sampler/drafts/lookup.ts';
import { MaskDrafts } from '../../sampler/drafts/mask.ts';
import { PredictionDrafts } from '../../sampler/drafts/prediction.ts';
import { byMasks, shifted } from '../../sampler/drafts/rows.ts';
import { createPolicy } from '../../sampler/policies/index.ts';
import { remask } from '../../sampler/remasking.ts';
import { blocks, grid, sliding, type Width } from '../../sampler/width.ts';
import { type GenerateRequest, RequestError } from '../request.ts';

/** Positions that a chosen window of masks looks ahead at most: models are trained on blocks of 4 to 32. */
const LONGEST_WINDOW = 16;

/** What a request is drafted from. */
export interface PlannedText {
  /** Prompt, suffix and other files, as they are run. */
  readonly prompt: Int32Array; // (P)
  /** What the reader expects to be written; empty for nothing. */
  readonly prediction: Int32Array; // (N)
}

/**
 * @param acceptance how often drafts have been holding on this engine
 * @throws RequestError `unsupported_parameter` for `decoding.verify` on a model that cannot, and with `remasking`, and for
 *   `decoding.approximate_cache` on one whose cache is exact; `invalid_value` for a block length that does not fit the model's blocks
 */
export function planBlocks(
  request: GenerateRequest,
  model: DiffusionModel,
  acceptance: DraftAcceptance,
  text: PlannedText,
): BlockSettings {
  const { maxTokens, decoding, seed } = request;
  const { verify, remasking, approximateCache } = decoding;
  if (verify && model.config.contextAttention === 'full') {
    throw unsupported(
      'decoding.verify',
      `every token of ${model.config.name} sees all others, so no draft can be checked.`,
    );
  }
  if (request.logprobs?.prompt && !predictsNext(model.config)) {
    throw unsupported(
      'echo',
      `with 'logprobs' it takes a model whose tokens predict the next one, unlike ${model.config.name}.`,
    );
  }
  if (approximateCache && model.config.contextAttention !== 'full') {
    throw unsupported(
      'decoding.approximate_cache',
      `the KV cache of ${model.config.name} is exact, as its context is ${model.config.contextAttention}.`,
    );
  }
  if (verify && remasking) {
    throw unsupported('decoding.remasking', "with 'decoding.verify' nothing is ever masked again but a wrong draft.");
  }
  return {
    maxTokens,
    width: chooseWidth(request, model, acceptance, text),
    policy: createPolicy(decoding, seed),
    verify,
    remasking: remasking && remask(remasking, seed),
    approximateCache,
  };
}

function chooseWidth(
  request: GenerateRequest,
  model: DiffusionModel,
  acceptance: DraftAcceptance,
  text: PlannedText,
): Width {
  const { verify, blockLength, drafts } = request.decoding;
  const { config } = model;
  if (verify) {
    if (drafts === undefined && blockLength !== null) return sliding(blockLength);
    return chooseDrafts(request, model, acceptance, text);
  }
  const length = blockLength ?? config.subBlockLength ?? config.blockLength;
  if (config.contextAttention === 'causal') return blocks(length);
  if (config.contextAttention === 'full') return grid(Number.POSITIVE_INFINITY, length, 0);
  return grid(config.blockLength, partOf(length, config), uncommittedPrompt(config, text.prompt.length));
}

function chooseDrafts(
  { decoding, maxTokens }: GenerateRequest,
  model: DiffusionModel,
  acceptance: DraftAcceptance,
  { prompt, prediction }: PlannedText,
): Width {
  const sources = decoding.drafts ?? DRAFT_SOURCES;
  const drafters: Drafter[] = [];
  if (sources.includes('prediction') && prediction.length > 0) {
    drafters.push(new PredictionDrafts(prediction, acceptance.prediction));
  }
  if (sources.includes('lookup')) drafters.push(new LookupDrafts(prompt, maxTokens, acceptance.lookup));
  const costs = acceptance.costs(model.costs);
  const longest = decoding.blockLength ?? LONGEST_WINDOW;
  const rowsOf = checksByMasks(model.config) ? byMasks : shifted;
  const masks = sources.includes('mask') ? new MaskDrafts(costs, acceptance.mask, longest, rowsOf) : null;
  return new Drafts(costs, drafters, masks, longest, rowsOf);
}

/** @throws RequestError unless the part divides the blocks that the model attends in, which no request can change */
function partOf(length: number, { name, blockLength }: ModelConfig): number {
  if (blockLength % length === 0) return length;
  throw new RequestError(
    `'decoding.block_length' is ${length}: ${name} attends in blocks of ${blockLength}, which can be decided in parts of a ` +
      'length that divides it.',
    'invalid_value',
    'decoding.block_length',
  );
}

function unsupported(param: string, reason: string): RequestError {
  return new RequestError(`'${param}' is not supported here: ${reason}`, 'unsupported_parameter', param);
}
