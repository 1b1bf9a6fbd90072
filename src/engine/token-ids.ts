/** Token ids that come from outside. */
import type { ModelConfig } from '../model/config.ts';
import { RequestError } from './request.ts';

type Ids = readonly number[] | Int32Array;

/** @throws RequestError `invalid_value` for an id that the vocabulary does not have */
export function requireInVocabulary(ids: Ids, vocabSize: number, param: string): void {
  const stranger = ids.find((id) => id < 0 || id >= vocabSize);
  if (stranger !== undefined) throw invalid(param, `token id ${stranger} is outside the vocabulary of ${vocabSize}`);
}

/** The same for ids that the model reads or writes: only the sampler writes masks. */
export function requireTokenIds(
  ids: Ids,
  { vocabSize, maskTokenId }: Pick<ModelConfig, 'vocabSize' | 'maskTokenId'>,
  param: string,
): void {
  requireInVocabulary(ids, vocabSize, param);
  if (ids.includes(maskTokenId)) {
    throw invalid(param, `token id ${maskTokenId} is the mask, which only the sampler writes`);
  }
}

function invalid(param: string, reason: string): RequestError {
  return new RequestError(`Invalid '${param}': ${reason}.`, 'invalid_value', param);
}
