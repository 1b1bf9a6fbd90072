/** What the API hands to the engine for an edit, and what it gets back. */
import type { EditingSettings } from '../../sampler/editing/settings.ts';
import type { DoneEvent } from '../request.ts';

export { DEFAULT_EDITING, type EditingSettings, editingParameters } from '../../sampler/editing/settings.ts';

export interface EditRequest {
  readonly kind: 'edit';
  readonly code: string;
  /**
   * Put before the code as a comment, as the model was trained on code alone. A small model mostly ignores it: it mends
   * whatever it finds improbable, asked or not.
   */
  readonly instruction: string | null;
  /** Its ending says how the instruction's comment is written. Null: as in TypeScript. */
  readonly filename: string | null;
  /** Only tokens that lie in it are replaced: UTF-16 units of `code`, from `start` to before `end`. Null: all of it. */
  readonly region: { readonly start: number; readonly end: number } | null;
  readonly settings: EditingSettings;
}

/** A change against the request's code; offsets are UTF-16 units of that code. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly oldText: string;
  readonly newText: string;
  /** Mean probability of the new tokens; of a deletion, that of the token which takes the place. */
  readonly confidence: number;
  /** By how much the new text and a few tokens after it are more probable than the old, in nats. */
  readonly gain: number;
}

/** A place that the model found improbable, changed or not. */
export interface EditSpan {
  /** From 1. Spans of a later pass may stand for text that an earlier one wrote. */
  readonly pass: number;
  /** UTF-16 units of the request's code. */
  readonly start: number;
  readonly end: number;
  /** What stood there in this pass. */
  readonly text: string;
  /** Probability of its least probable token, given the tokens before it. */
  readonly causalProb: number;
  /** Probability of its most probable token, with the token masked and its right context visible. */
  readonly leaveOneOutProb: number;
  /** The likeliest change that was weighed, made or not; null when none was sure enough. */
  readonly best: (TextEdit & { readonly rightGain: number }) | null;
  readonly accepted: boolean;
}

export interface EditResult {
  readonly text: string;
  /** Unified; empty when nothing changed. */
  readonly diff: string;
  /** In order, apart from each other. */
  readonly edits: readonly TextEdit[];
  /** In the order in which they were weighed. */
  readonly spans: readonly EditSpan[];
  readonly passes: number;
  /** False when `maxForwards` came first. */
  readonly complete: boolean;
}

/** Usage counts code and instruction as the prompt, and new tokens as the completion. */
export type EditDoneEvent = DoneEvent & { readonly result: EditResult };

/** `edit` follows the `span` that it was made for, and may be merged with others or taken back by a later pass. */
export type EditEvent =
  | { readonly type: 'span'; readonly span: EditSpan }
  | { readonly type: 'edit'; readonly edit: TextEdit }
  | EditDoneEvent;
