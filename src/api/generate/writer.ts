/** How an endpoint writes its answer, whole and in pieces. */
import type { EditResult, EditSpan } from '../../engine/editing/edit-request.ts';
import type { BlockEvent, DoneEvent, EngineStep, PromptEvent } from '../../engine/request.ts';

/** One completion that has ended. */
export interface ChoiceResult {
  readonly text: string;
  readonly tokens: PromptEvent['tokens'];
  /** Where the prompt's tokens were asked for. */
  readonly prompt: PromptEvent | null;
  readonly done: DoneEvent;
  /** Of an edit. */
  readonly edit: EditResult | null;
}

/** The methods that write chunks each make one message. `choice` is the index of a completion in the answer. */
export interface AnswerWriter {
  /** The last line of a stream; null for none. */
  readonly closing: string | null;
  /** The body of an answer that is not streamed. */
  whole(results: readonly ChoiceResult[]): object;
  /** Before anything else of a completion; null for nothing. */
  opening?(choice: number): object | null;
  prompt?(choice: number, event: PromptEvent): object;
  block?(choice: number, event: BlockEvent): object;
  /** Where the request asked for `diffusing`. */
  step?(choice: number, event: EngineStep): object;
  /** Where the request asked for `diffusing`. */
  span?(choice: number, span: EditSpan): object;
  edit?(choice: number, result: EditResult): object;
  done(choice: number, event: DoneEvent): object;
  /** After everything else, where the request asked for usage. */
  usage?(dones: readonly DoneEvent[]): object;
}
