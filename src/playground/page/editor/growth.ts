/**
 * The place in the editor where a completion grows, as a state field: an element, and the text that the completion
 * replaces.
 */
import { StateEffect, StateField } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, WidgetType } from '@codemirror/view';

interface Growth {
  readonly from: number;
  readonly to: number;
  /** Null: only the range is shown. */
  readonly element: HTMLElement | null;
}

export const showGrowth = StateEffect.define<Growth>();
export const hideGrowth = StateEffect.define<null>();

class ElementWidget extends WidgetType {
  readonly #element: HTMLElement;

  constructor(element: HTMLElement) {
    super();
    this.#element = element;
  }

  override eq(other: ElementWidget): boolean {
    return other.#element === this.#element;
  }

  override toDOM(): HTMLElement {
    return this.#element;
  }
}

const replaced = Decoration.mark({ class: 'replaced' });

export const growth = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(decorations, { changes, effects }) {
    let next = decorations.map(changes);
    for (const effect of effects) {
      if (effect.is(hideGrowth)) next = Decoration.none;
      if (effect.is(showGrowth)) next = decorate(effect.value);
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorate({ from, to, element }: Growth): DecorationSet {
  return Decoration.set([
    ...(to > from ? [replaced.range(from, to)] : []),
    ...(element ? [Decoration.widget({ widget: new ElementWidget(element), side: 1 }).range(to)] : []),
  ]);
}
