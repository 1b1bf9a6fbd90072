/** Decides what a request asks of the sampler, on this model and this host. */
import { type ModelConfig, predictsNext, uncommittedPrompt } from '../../model/config.ts';
import type { DiffusionModel } from '../../model/model.ts';
import type { BlockSettings } from '../../sampler/block-sampler.ts';
import { createPolicy } from '../../sampler/policies/index.ts';
import { remask } from '../../sampler/remasking.ts';
import { type Acceptance, adaptive, blocks, grid, sliding, type Width } from '../../sampler/width.ts';
import { type GenerateRequest, RequestError } from '../request.ts';

/** Positions that an adaptive window looks ahead at most: models are trained on blocks of 4 to 32. */
const LONGEST_WINDOW = 16;

/**
 * @param acceptance how often drafts have been holding on this engine
 * @param prompt tokens of the prompt
 * @throws RequestError `unsupported_parameter` for `decoding.verify` on a model that cannot, and with `remasking`, and for
 *   `decoding.approximate_cache` on one whose cache is exact; `invalid_value` for a block length that does not fit the model's blocks
 */
export function planBlocks(
  request: GenerateRequest,
  model: DiffusionModel,
  acceptance: Acceptance,
  prompt: number,
): BlockSettings {
  const { maxTokens, decoding, seed } = request;
  const { verify, remasking, approximateCache } = decoding;
  if (verify && !predictsNext(model.config)) {
    throw unsupported('decoding.verify', `${model.config.name} has no causal context to check drafts with.`);
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
    width: chooseWidth(request, model, acceptance, prompt),
    policy: createPolicy(decoding, seed),
    verify,
    remasking: remasking && remask(remasking, seed),
    approximateCache,
  };
}

function chooseWidth(
  { decoding }: GenerateRequest,
  model: DiffusionModel,
  acceptance: Acceptance,
  prompt: number,
): Width {
  const { verify, blockLength } = decoding;
  const { config } = model;
  if (verify) return blockLength === null ? adaptive(model.costs, acceptance, LONGEST_WINDOW) : sliding(blockLength);
  const length = blockLength ?? config.subBlockLength ?? config.blockLength;
  if (config.contextAttention === 'causal') return blocks(length);
  if (config.contextAttention === 'full') return grid(Number.POSITIVE_INFINITY, length, 0);
  return grid(config.blockLength, partOf(length, config), uncommittedPrompt(config, prompt));
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
