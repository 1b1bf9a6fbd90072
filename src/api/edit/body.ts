/** Builds `edit.completion` bodies, and chunks that Continue reads as those of a chat. */
import type { EditResult, EditSpan } from '../../engine/editing/edit-request.ts';
import type { EditChunk, EditCompletion } from './schema.ts';
import { type EditTask, editedCode, extensionOf, spanOf } from './task.ts';

export class EditBodies {
  readonly #task: EditTask;
  readonly #head: Pick<EditChunk, 'id' | 'created' | 'model'>;

  constructor(model: string, task: EditTask) {
    const id = `edit-${crypto.randomUUID().replaceAll('-', '')}`;
    this.#task = task;
    this.#head = { id, created: Math.floor(Date.now() / 1000), model };
  }

  whole(result: EditResult): EditCompletion {
    const content = this.#task.shown(editedCode(this.#task, result));
    return {
      ...this.#head,
      object: 'edit.completion',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: usageOf(result),
      seedling: extensionOf(this.#task, result),
    };
  }

  opening(): EditChunk {
    return this.#chunk({ role: 'assistant', content: '' }, null);
  }

  /** Without text: clients that do not know `diffusing` see nothing new in it. */
  span(span: EditSpan): EditChunk {
    return { ...this.#chunk({}, null), diffusing: { span: spanOf(span, this.#task) } };
  }

  text(result: EditResult): EditChunk {
    return this.#chunk({ content: this.#task.shown(editedCode(this.#task, result)) }, null);
  }

  done(result: EditResult): EditChunk {
    return { ...this.#chunk({}, 'stop'), seedling: extensionOf(this.#task, result) };
  }

  usage(result: EditResult): EditChunk {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [], usage: usageOf(result) };
  }

  #chunk(delta: EditChunk['choices'][number]['delta'], finish_reason: 'stop' | null): EditChunk {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] };
  }
}

function usageOf({ usage: { promptTokens, completionTokens } }: EditResult) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0 },
  };
}
