/** Runs an admitted request: the prefill, then blocks until the text ends. */
import { checksByMasks, type ModelConfig, uncommittedPrompt } from '../../model/config.ts';
import { type BlockSettings, sampleBlocks } from '../../sampler/block-sampler.ts';
import { PredictedText } from '../../sampler/drafts/predicted-text.ts';
import { createDraw } from '../../sampler/draw.ts';
import { Forwards } from '../../sampler/forwards.ts';
import type { Lane } from '../../sampler/scheduling/lane.ts';
import type { Cost, GenerateEvent, GenerateRequest } from '../request.ts';
import { textOf } from '../tokenizer/detokenizer.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { type AroundText, CompletionText } from './completion-text.ts';
import { endingAtMiddle, suffixStop } from './infill.ts';
import { type LineBreak, withLineBreaks, withLineFeeds } from './line-breaks.ts';
import { promptTokenTexts } from './prompt-tokens.ts';
import { lineAfter } from './repeated-line.ts';
import { type Beginning, NOTHING, withoutBeginning } from './token-healing.ts';

export interface GenerationPlan {
  readonly request: GenerateRequest;
  /** The model's, as the request reads it. */
  readonly config: ModelConfig;
  readonly settings: BlockSettings;
  /** What is committed first. */
  readonly prompt: Int32Array; // (P), P > 0
  /** What the reader expects to be written. */
  readonly prediction: Int32Array; // (N)
  /** Tokens that were sent: without a start token, with one that is written again. */
  readonly promptTokens: number;
  /** The end of the prompt that is written again, as the beginning of the first token. */
  readonly beginning: Beginning | null;
}

/**
 * `usage.completionTokens` counts the ids before an EOS, or those up to the one that completes a stop string.
 * `cost` milliseconds are spent in this generator, not in its consumer; a clock that stands still during computation
 * (deployed Workers) makes them 0.
 * @param lane its cache has what was reused of the prompt; the caller frees it
 * @throws the signal's reason on abort, within one forward; and whatever the model throws
 */
export async function* generate(
  tokenizer: Tokenizer,
  plan: GenerationPlan,
  lane: Lane,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent, void, void> {
  const { request, config, settings, prompt, prediction, promptTokens, beginning } = plan;
  const { stop, suffix, logprobs, maxTokens } = request;
  const { cache } = lane;
  const cachedTokens = cache.length;
  const draw = createDraw(request, beginning?.lift, prompt);
  // Without a token to write there is no room for a mask.
  const masked = settings.verify && checksByMasks(config) && maxTokens > 0;
  const forwards = new Forwards(lane, draw, signal, logprobs?.alternatives, masked);
  const stops = suffix === null ? stop : [...stop, ...suffixStop(suffix)];
  const around = aroundText(request, tokenizer);
  const text = new CompletionText(tokenizer, stops, around, logprobs !== null, beginning?.bytes);

  const predicted = prediction.length > 0 ? new PredictedText(prediction) : null;
  const end = (finishReason: 'stop' | 'length', cost: Pick<Cost, 'prefillMs' | 'decodeMs'>): GenerateEvent => ({
    type: 'done',
    finishReason,
    stopString: text.stopString,
    usage: {
      promptTokens,
      cachedTokens,
      completionTokens: text.tokens,
      ...(predicted && { prediction: { accepted: predicted.accepted, rejected: predicted.rejected } }),
    },
    cost: {
      nfe: forwards.nfe,
      positionForwards: forwards.positionForwards,
      drafts: forwards.drafts.all,
      ...cost,
    },
  });

  const clean = prompt.length - uncommittedPrompt(config, prompt.length);
  let start = performance.now();
  const judged = logprobs?.prompt ? await forwards.judgePrompt(prompt) : null;
  // A prompt of uncommitted tokens alone has nothing to run.
  const prefilled = cache.length >= clean ? null : await forwards.prefill(prompt.subarray(0, clean));
  const first = judged?.next ?? prefilled;
  const prefillMs = performance.now() - start;
  if (judged) yield { type: 'prompt', ...promptTokenTexts(prompt, promptTokens, judged, tokenizer) };
  if (maxTokens === 0) {
    yield end('length', { prefillMs, decodeMs: 0 });
    return;
  }

  const ending = endings(config, suffix);
  const isLate = timeLimit(request);
  let decodeMs = 0;
  start = performance.now();
  for await (const event of sampleBlocks(forwards, ending, settings, first, prompt.subarray(clean))) {
    decodeMs += performance.now() - start;
    if (event.type === 'step') {
      const begins = (i: number) => (event.positions[i] === 0 ? beginning?.bytes : undefined);
      yield {
        ...event,
        texts: Array.from(event.ids, (id, i) => tokenText(tokenizer, id, around.lineBreak, begins(i))),
      };
    } else {
      const late = event.end === null && isLate(text.hasNewLine);
      const before = text.tokens;
      const { text: delta, tokens } = text.push(event, event.end !== null || late);
      predicted?.push(event.ids.subarray(0, text.tokens - before));
      if (delta !== '' || tokens.length > 0) yield { type: 'block', block: event.block, text: delta, tokens };
      if (event.end !== null || late || text.stopped) {
        yield end(text.stopped || event.end === 'eos' ? 'stop' : 'length', { prefillMs, decodeMs });
        return;
      }
    }
    start = performance.now();
  }
}

/** Whether the text has taken too long: its first id starts the clock, and what it has of its first line is finished. */
function timeLimit({ timeLimitMs }: GenerateRequest): (hasNewLine: boolean) => boolean {
  const start = performance.now();
  return (hasNewLine) => timeLimitMs !== null && hasNewLine && performance.now() - start > timeLimitMs;
}

/** Where the text ends: a hole's does at its marker too. */
function endings(config: ModelConfig, suffix: string | null): ModelConfig {
  return suffix !== null && config.infill ? endingAtMiddle(config, config.infill) : config;
}

/** A raw prompt is no file: its text stays as the model writes it. */
function aroundText({ prompt, suffix, textKind, lineBreak }: GenerateRequest, tokenizer: Tokenizer): AroundText {
  const isFile = suffix !== null || textKind === 'content';
  const before = typeof prompt === 'string' ? prompt : textOf(prompt, tokenizer);
  return {
    suffix: suffix ?? '',
    lineAfter: suffix === null ? null : lineAfter(before, suffix),
    lineBreak: lineBreak ?? (isFile ? '\n' : null),
  };
}

function tokenText(tokenizer: Tokenizer, id: number, lineBreak: LineBreak | null, beginning = NOTHING): string {
  const bytes = withoutBeginning(tokenizer.bytes(id), beginning);
  const text = bytes ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) : '';
  return lineBreak === null ? text : withLineBreaks(withLineFeeds(text), lineBreak);
}
