/** Edits code: text in, edited text out. */
import { predictsNext } from '../../model/config.ts';
import type { DiffusionModel, KvCache } from '../../model/model.ts';
import { EditForwards } from '../../sampler/editing/edit-forwards.ts';
import { type ConsideredEvent, type EditedEvent, edit, ROOM_TO_GROW } from '../../sampler/editing/editor.ts';
import { contextLimit, requireMayFit } from '../generation/prompt-length.ts';
import { RequestError } from '../request.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { unifiedDiff } from './diff.ts';
import type { EditEvent, EditRequest, EditResult, EditSpan } from './edit-request.ts';
import { EditableText } from './editable-text.ts';

/** A request that can be served, and the memory that it takes. */
export interface EditPlan {
  readonly request: EditRequest;
  readonly text: EditableText;
  /** Of the cache. */
  readonly maxTokens: number;
}

/**
 * Everything that can be refused, before any work.
 * @throws RequestError `context_length_exceeded` for code that could never fit, `invalid_value` (see `EditableText`),
 *   `unsupported_model` for a model whose committed tokens do not predict the next one
 */
export function planEdit(request: EditRequest, tokenizer: Tokenizer, model: DiffusionModel): EditPlan {
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
      `This model edits at most ${limit - 1} tokens at once. However, the code and the instruction have ` +
        `${text.promptTokens}. Please send less code, such as one function.`,
      'context_length_exceeded',
      'code',
    );
  }
  return { request, text, maxTokens: Math.min(limit, text.ids.length + ROOM_TO_GROW) };
}

/**
 * Spans as they are weighed, edits as they are made, then the result.
 * @param cache empty; the caller frees it
 * @param turn awaited before each forward
 * @throws the signal's reason on abort, within one forward; and whatever the model throws
 */
export async function* runEdit(
  model: DiffusionModel,
  plan: EditPlan,
  cache: KvCache,
  turn: () => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<EditEvent, void, void> {
  const { request, text, maxTokens } = plan;
  const { settings } = request;
  const forwards = new EditForwards(model, cache, settings.max_forwards, signal, turn);
  const task = {
    ids: text.ids,
    editable: (index: number) => text.editable(index),
    usable: (id: number) => text.usable(id),
    maxTokens,
    settings,
  };
  const spans: EditSpan[] = [];
  let ms = 0;
  let start = performance.now();
  for await (const event of edit(forwards, task)) {
    ms += performance.now() - start;
    if (event.type === 'edited') {
      const { nfe, positionForwards } = forwards;
      yield { type: 'done', result: asResult(plan, event, spans, { nfe, positionForwards, ms }) };
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
  { request, text }: EditPlan,
  { edits, passes, complete }: EditedEvent,
  spans: readonly EditSpan[],
  cost: EditResult['cost'],
): EditResult {
  const changes = edits.map((edit) => text.edit(edit));
  const after = text.with(changes);
  const completionTokens = edits.reduce((sum, { ids }) => sum + ids.length, 0);
  return {
    text: after,
    diff: unifiedDiff(request.code, after, 'code'),
    edits: changes,
    spans,
    passes,
    complete,
    usage: { promptTokens: text.promptTokens, completionTokens },
    cost,
  };
}

function asSpan(
  { pass, start, end, old, suspects, candidates, accepted }: ConsideredEvent,
  text: EditableText,
): EditSpan {
  const best = accepted ?? candidates[0];
  return {
    pass,
    ...text.range(start, end),
    text: text.text(old),
    causalProb: Math.min(...suspects.map((suspect) => suspect.causalProb)),
    leaveOneOutProb: Math.max(...suspects.map((suspect) => suspect.leaveOneOutProb)),
    best: best ? { ...text.edit(best.edit), rightGain: best.rightGain } : null,
    accepted: accepted !== null,
  };
}
