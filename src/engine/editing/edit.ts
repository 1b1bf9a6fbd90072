/** Edits code: text in, edited text out. */
import { predictsNext } from '../../model/config.ts';
import type { DiffusionModel } from '../../model/model.ts';
import { EditForwards } from '../../sampler/editing/edit-forwards.ts';
import { type ConsideredEvent, type EditedEvent, edit, ROOM_TO_GROW } from '../../sampler/editing/editor.ts';
import { contextLimit, requireMayFit } from '../generation/prompt-length.ts';
import type { EngineJob } from '../job.ts';
import { RequestError } from '../request.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { unifiedDiff } from './diff.ts';
import type { EditEvent, EditRequest, EditResult, EditSpan } from './edit-request.ts';
import { EditableText } from './editable-text.ts';

/**
 * From a request to edit code to a job. Nothing of it is kept for other requests.
 * @throws RequestError `context_length_exceeded` for code that could never fit, `invalid_value` (see `EditableText`),
 *   `unsupported_model` for a model whose committed tokens do not predict the next one
 */
export function editJob(request: EditRequest, model: DiffusionModel, tokenizer: Tokenizer): EngineJob {
  const { config } = model;
  if (!predictsNext(config)) {
    const message = `${config.name} cannot edit: that takes a model with causal context and logit shift.`;
    throw new RequestError(message, 'unsupported_model', 'model');
  }
  requireMayFit(request.code, 'code', { model, tokenizer });
  const text = new EditableText(request, tokenizer, config);
  const limit = contextLimit({ model });
  // The start token takes one.
  if (text.ids.length > limit) {
    throw new RequestError(
      `This model's maximum context length is ${limit} tokens, so it edits at most ${limit - 1} tokens at once. ` +
        `However, the code and the instruction have ${text.promptTokens}. Please send less code, such as one function.`,
      'context_length_exceeded',
      'code',
    );
  }
  const tokens = Math.min(limit, text.ids.length + ROOM_TO_GROW);
  return {
    tokens,
    first: tokens,
    promptTokens: text.promptTokens,
    run(lane, signal) {
      const forwards = new EditForwards(lane, request.settings.maxForwards, signal);
      return runEdit(forwards, request, text, tokens);
    },
  };
}

/**
 * Spans as they are weighed, edits as they are made, then the result.
 * @param maxTokens room in the cache
 */
async function* runEdit(
  forwards: EditForwards,
  request: EditRequest,
  text: EditableText,
  maxTokens: number,
): AsyncGenerator<EditEvent, void, void> {
  const task = {
    ids: text.ids,
    editable: (index: number) => text.editable(index),
    usable: (id: number) => text.usable(id),
    maxTokens,
    settings: request.settings,
  };
  const spans: EditSpan[] = [];
  let decodeMs = 0;
  let start = performance.now();
  for await (const event of edit(forwards, task)) {
    decodeMs += performance.now() - start;
    if (event.type === 'edited') {
      const { nfe, positionForwards } = forwards;
      const completionTokens = event.edits.reduce((sum, { ids }) => sum + ids.length, 0);
      yield {
        type: 'done',
        finishReason: 'stop',
        stopString: null,
        usage: { promptTokens: text.promptTokens, cachedTokens: 0, completionTokens },
        cost: { nfe, positionForwards, drafts: {}, prefillMs: 0, decodeMs },
        result: asResult(request, text, event, spans),
      };
      return;
    }
    const span = asSpan(event, text);
    spans.push(span);
    yield { type: 'span', span };
    const { accepted } = event;
    if (accepted) yield { type: 'edit', edit: text.edit(accepted.edit) };
    start = performance.now();
  }
}

function asResult(
  { code }: EditRequest,
  text: EditableText,
  { edits, passes, complete }: EditedEvent,
  spans: readonly EditSpan[],
): EditResult {
  const changes = edits.map((edit) => text.edit(edit));
  const after = text.with(changes);
  return { text: after, diff: unifiedDiff(code, after, 'code'), edits: changes, spans, passes, complete };
}

function asSpan(
  { pass, start, end, old, suspects, candidates, accepted }: ConsideredEvent,
  text: EditableText,
): EditSpan {
  const best = accepted ?? candidates[0];
  const range = text.range(start, end);
  return {
    pass,
    ...range,
    text: text.text(old, range),
    causalProb: Math.min(...suspects.map((suspect) => suspect.causalProb)),
    leaveOneOutProb: Math.max(...suspects.map((suspect) => suspect.leaveOneOutProb)),
    best: best ? { ...text.edit(best.edit), rightGain: best.rightGain } : null,
    accepted: accepted !== null,
  };
}
