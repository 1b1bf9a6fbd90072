/** Builds `edit.completion` bodies, and chunks that Continue reads as those of a chat. */
import type { EditResult, EditSpan } from '../../engine/editing/edit-request.ts';
import type { DoneEvent } from '../../engine/request.ts';
import { usageOf } from '../generate/usage.ts';
import type { AnswerWriter, ChoiceResult } from '../generate/writer.ts';
import { editedCode, extensionOf, type FramedEdit, spanOf } from './frame.ts';
import type { EditChunk, EditCompletion } from './schema.ts';

export class EditBody implements AnswerWriter {
  readonly closing = '[DONE]';
  readonly #framed: FramedEdit;
  readonly #head: Pick<EditChunk, 'id' | 'created' | 'model'>;
  /** Written before the finish reason, which says how it came about. */
  #result: EditResult | null = null;

  constructor(model: string, framed: FramedEdit) {
    const id = `edit-${crypto.randomUUID().replaceAll('-', '')}`;
    this.#framed = framed;
    this.#head = { id, created: Math.floor(Date.now() / 1000), model };
  }

  whole([result]: readonly ChoiceResult[]): EditCompletion {
    if (!result?.edit) throw new Error('an edit without a result');
    const { edit, done } = result;
    const content = this.#framed.shown(editedCode(this.#framed, edit));
    return {
      ...this.#head,
      object: 'edit.completion',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: usageOf([done]),
      seedling: extensionOf(this.#framed, edit, done.cost),
    };
  }

  opening(): EditChunk {
    return this.#chunk({ role: 'assistant', content: '' }, null);
  }

  /** Without text: clients that do not know `diffusing` see nothing new in it. */
  span(_choice: number, span: EditSpan): EditChunk {
    return { ...this.#chunk({}, null), diffusing: { span: spanOf(span, this.#framed) } };
  }

  /** The whole code at once: an edit is known at its end. */
  edit(_choice: number, result: EditResult): EditChunk {
    this.#result = result;
    return this.#chunk({ content: this.#framed.shown(editedCode(this.#framed, result)) }, null);
  }

  done(_choice: number, { cost }: DoneEvent): EditChunk {
    if (this.#result === null) throw new Error('an edit that ends without a result');
    return { ...this.#chunk({}, 'stop'), seedling: extensionOf(this.#framed, this.#result, cost) };
  }

  usage(dones: readonly DoneEvent[]): EditChunk {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [], usage: usageOf(dones) };
  }

  #chunk(delta: EditChunk['choices'][number]['delta'], finish_reason: 'stop' | null): EditChunk {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] };
  }
}
