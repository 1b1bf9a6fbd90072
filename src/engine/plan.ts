/** What a request asks of the sampler, on this model and this host. */
import { predictsNext } from '../model/config.ts';
import type { DiffusionModel } from '../model/model.ts';
import type { BlockSettings } from '../sampler/block-sampler.ts';
import { createPolicy } from '../sampler/policies/index.ts';
import { remask } from '../sampler/remasking.ts';
import { type Acceptance, adaptive, blocks, sliding, type Width } from '../sampler/width.ts';
import { type GenerateRequest, RequestError } from './request.ts';

/** Positions that an adaptive window looks ahead at most: models are trained on blocks of 4 to 32. */
const LONGEST_WINDOW = 16;

/**
 * @param acceptance how often drafts have been holding on this engine
 * @throws RequestError `unsupported_parameter` for `decoding.verify` on a model that cannot, and with `remasking`
 */
export function planBlocks(request: GenerateRequest, model: DiffusionModel, acceptance: Acceptance): BlockSettings {
  const { maxTokens, decoding, seed } = request;
  const { verify, remasking } = decoding;
  if (verify && !predictsNext(model.config)) {
    throw unsupported('decoding.verify', `${model.config.name} has no causal context to check drafts with.`);
  }
  if (verify && remasking) {
    throw unsupported('decoding.remasking', "with 'decoding.verify' nothing is ever masked again but a wrong draft.");
  }
  return {
    maxTokens,
    width: chooseWidth(request, model, acceptance),
    policy: createPolicy(decoding, seed),
    verify,
    remasking: remasking && remask(remasking, seed),
  };
}

function chooseWidth({ decoding }: GenerateRequest, model: DiffusionModel, acceptance: Acceptance): Width {
  const { verify, blockLength } = decoding;
  if (!verify) return blocks(blockLength ?? model.config.blockLength);
  return blockLength === null ? adaptive(model.costs, acceptance, LONGEST_WINDOW) : sliding(blockLength);
}

function unsupported(param: string, reason: string): RequestError {
  return new RequestError(`'${param}' is not supported here: ${reason}`, 'unsupported_parameter', param);
}
