/**
 * Marks on text that a model wrote or weighed: how probable it was. They move with the text, and the next run removes
 * them.
 */
import { StateEffect, StateField } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView } from '@codemirror/view';

export interface TextMark {
  readonly from: number;
  readonly to: number;
  readonly prob: number;
  readonly kind: 'written' | 'revised' | 'weighed';
  /** Tooltip. */
  readonly title: string;
}

export const setMarks = StateEffect.define<readonly TextMark[]>();
export const clearMarks = StateEffect.define<null>();

export const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(decorations, { changes, effects }) {
    let next = decorations.map(changes);
    for (const effect of effects) {
      if (effect.is(clearMarks)) next = Decoration.none;
      if (effect.is(setMarks))
        next = Decoration.set(effect.value.filter(({ from, to }) => to > from).map(decorate), true);
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorate({ from, to, prob, kind, title }: TextMark) {
  const attributes = { style: `--p: ${prob.toFixed(3)}`, title };
  return Decoration.mark({ class: `mark ${kind}`, attributes }).range(from, to);
}
