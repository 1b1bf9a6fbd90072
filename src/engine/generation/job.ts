/** From a request for text to a job: its prompt as ids, its blocks, and the room that they take. */
import { atBlockLengthOne } from '../../model/config.ts';
import type { DiffusionModel } from '../../model/model.ts';
import type { DraftAcceptance } from '../../sampler/drafts/learned.ts';
import { tokensNeeded } from '../admission.ts';
import type { EngineJob } from '../job.ts';
import type { GenerateRequest } from '../request.ts';
import { requireTokenIds } from '../token-ids.ts';
import type { TextKind, Tokenizer } from '../tokenizer/tokenizer.ts';
import { generate } from './generate.ts';
import { infillPrompt, requireInfill } from './infill.ts';
import { planBlocks } from './plan.ts';
import { contextLimit, requireMayFit } from './prompt-length.ts';
import { type Beginning, type HealedPrompt, healPrompt } from './token-healing.ts';

interface Prompt {
  readonly ids: Int32Array; // (P), empty for an empty prompt
  /** Tokens that were sent: one more than P where the last is written again. */
  readonly tokens: number;
  readonly beginning: Beginning | null;
}

/**
 * @param acceptance how often drafts have been holding on this engine
 * @throws RequestError on a request that can never be served (see `requireMayFit`, `planBlocks`, `requireTokenIds` and `tokensNeeded`)
 */
export function generationJob(
  request: GenerateRequest,
  model: DiffusionModel,
  tokenizer: Tokenizer,
  acceptance: DraftAcceptance,
): EngineJob {
  const { ids, tokens: promptTokens, beginning } = promptOf(request, model, tokenizer);
  // Something has to predict the first id.
  const prompt = ids.length > 0 ? ids : Int32Array.of(model.config.startTokenId);
  const prediction = predictionOf(request, beginning, model, tokenizer);
  const planned = () => planBlocks(request, model, acceptance, { prompt, prediction });
  // Refuses what cannot be planned. Each run plans anew, since its drafts follow its text.
  planned();
  const tokens = tokensNeeded(model, request, prompt.length);
  const config = request.decoding.verify ? atBlockLengthOne(model.config) : model.config;
  const plan = { request, config, prompt, prediction, promptTokens, beginning };
  return {
    tokens,
    // Where a commit of the same tokens would not always write the same KV, nothing can be run again, so all is taken now.
    first: config.contextAttention === 'causal' ? Math.min(prompt.length + 1, tokens) : tokens,
    context: config.contextAttention,
    // A token that was reused is not run, so it would have no probability.
    prefix: request.logprobs?.prompt ? undefined : { ids: prompt, key: request.cacheKey },
    promptTokens,
    run: (lane, signal) => generate(tokenizer, { ...plan, settings: planned() }, lane, signal),
  };
}

/** Cuts `maxTokens` to what the prompt leaves of the context, unless that is nothing. */
export function fitToContext(request: GenerateRequest, model: DiffusionModel, tokenizer: Tokenizer): GenerateRequest {
  const { ids } = promptOf(request, model, tokenizer);
  const left = contextLimit({ model }) - Math.max(ids.length, 1);
  return left >= 1 && request.maxTokens > left ? { ...request, maxTokens: left } : request;
}

function promptOf(request: GenerateRequest, model: DiffusionModel, tokenizer: Tokenizer): Prompt {
  const { config } = model;
  const { context, prompt, suffix } = request;
  // A hole has a frame of its own, around text that is nothing but text.
  const kind = suffix === null ? request.textKind : 'content';
  const read = (part: string | Int32Array, param: string, as: TextKind) => {
    if (typeof part === 'string') requireMayFit(part, param, { model, tokenizer });
    const ids = typeof part === 'string' ? tokenizer.encode(part, as) : part;
    requireTokenIds(ids, config, param);
    return ids;
  };
  const others = read(context, 'prompt', 'content');
  const sent = read(prompt, 'prompt', kind);
  const { ids: prefix, beginning } = healed(request, sent, kind, tokenizer);
  const framed = () => {
    if (suffix !== null) {
      const hole = { context: others, prefix, suffix: read(suffix, 'suffix', 'content') };
      return infillPrompt(hole, requireInfill(config), config.startTokenId);
    }
    const first = kind === 'content' && typeof prompt === 'string' ? tokenizer.firstTokens : [];
    return Int32Array.from([...first, ...others, ...prefix]);
  };
  const ids = framed();
  return { ids, tokens: ids.length + sent.length - prefix.length, beginning };
}

/**
 * The ids of the predicted text, those of it that the context could hold. It is text alone: what looks like a special token
 * is none.
 */
function predictionOf(
  { prediction = '' }: GenerateRequest,
  beginning: Beginning | null,
  model: DiffusionModel,
  tokenizer: Tokenizer,
): Int32Array {
  if (prediction === '') return new Int32Array();
  requireMayFit(prediction, 'prediction', { model, tokenizer });
  // The completion begins with what was taken back of the prompt.
  const begun = beginning ? new TextDecoder().decode(beginning.bytes) : '';
  return tokenizer.encode(begun + prediction, 'content').slice(0, contextLimit({ model }));
}

function healed(
  { prompt, tokenHealing, maxTokens, logprobs }: GenerateRequest,
  ids: Int32Array,
  kind: TextKind,
  tokenizer: Tokenizer,
): HealedPrompt {
  // Who asks about the prompt's tokens means all of them.
  const heals = tokenHealing && typeof prompt === 'string' && maxTokens > 0 && !logprobs?.prompt;
  return heals ? healPrompt(prompt, ids, kind, tokenizer) : { ids, beginning: null };
}
