/** The code editor: CodeMirror with a place where a completion grows, and with marks that show how probable it was. */
import { defaultKeymap, history, historyKeymap, isolateHistory } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { python } from '@codemirror/lang-python';
import { bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder } from '@codemirror/view';
import { growth, hideGrowth, showGrowth } from './growth.ts';
import { highlightStyle } from './highlight-style.ts';
import { clearMarks, marks, setMarks, type TextMark } from './marks.ts';

export type Language = 'typescript' | 'python';

const languages: Readonly<Record<Language, () => Extension>> = {
  typescript: () => javascript({ typescript: true, jsx: true }),
  python: () => python(),
};

export interface EditorSelection {
  readonly from: number;
  readonly to: number;
}

/** Text that replaces a range. */
export interface Insertion {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

export class CodeEditor {
  readonly #view: EditorView;
  readonly #language = new Compartment();
  readonly #readOnly = new Compartment();

  /** @param onChange after every change of text or selection */
  constructor(parent: HTMLElement, text: string, language: Language, onChange: () => void) {
    this.#view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text,
        selection: { anchor: text.length },
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          bracketMatching(),
          indentOnInput(),
          highlightActiveLine(),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': 'Code', spellcheck: 'false', autocapitalize: 'off' }),
          placeholder('Write some code, then run.'),
          syntaxHighlighting(highlightStyle),
          // The page uses this shortcut to run. CodeMirror's own would insert a line.
          keymap.of(defaultKeymap.filter(({ key }) => key !== 'Mod-Enter')),
          keymap.of(historyKeymap),
          this.#language.of(languages[language]()),
          this.#readOnly.of([]),
          growth,
          marks,
          EditorView.updateListener.of(({ docChanged, selectionSet }) => {
            if (docChanged || selectionSet) onChange();
          }),
        ],
      }),
    });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  get selection(): EditorSelection {
    const { from, to } = this.#view.state.selection.main;
    return { from, to };
  }

  set language(language: Language) {
    this.#view.dispatch({ effects: this.#language.reconfigure(languages[language]()) });
  }

  replaceAll(text: string): void {
    const { length } = this.#view.state.doc;
    this.#view.dispatch({ changes: { from: 0, to: length, insert: text }, selection: { anchor: text.length } });
  }

  focus(): void {
    this.#view.focus();
  }

  /** Shows an element after `to`, and marks `from` to `to` as the text that it replaces. Locks the text until `finish`. */
  begin({ from, to }: EditorSelection, element: HTMLElement | null): void {
    const effects = [this.#readOnly.reconfigure(EditorState.readOnly.of(true)), clearMarks.of(null)];
    this.#view.dispatch({ effects: [...effects, showGrowth.of({ from, to, element })] });
  }

  /** Call it when the element of `begin` has grown. It keeps the element's end in sight, and does not move the page. */
  grown(element: HTMLElement): void {
    this.#view.requestMeasure({
      read: ({ scrollDOM }) => element.getBoundingClientRect().bottom - scrollDOM.getBoundingClientRect().bottom,
      write: (hidden, { scrollDOM }) => {
        if (hidden > 0) scrollDOM.scrollTop += hidden;
      },
    });
  }

  mark(textMarks: readonly TextMark[]): void {
    this.#view.dispatch({ effects: setMarks.of(textMarks) });
  }

  /**
   * Ends `begin`. All insertions are one step to undo.
   * @param insertions in order, without overlap
   * @param textMarks offsets in the text that has the insertions
   */
  finish(insertions: readonly Insertion[], textMarks: readonly TextMark[]): void {
    const last = insertions.at(-1);
    const state = this.#view.state;
    const changes = state.changes(insertions.map(({ from, to, text }) => ({ from, to, insert: text })));
    this.#view.dispatch({ effects: [hideGrowth.of(null), this.#readOnly.reconfigure([])] });
    this.#view.dispatch({
      ...(insertions.length > 0 && { changes, userEvent: 'input.complete' }),
      ...(last && { selection: { anchor: changes.mapPos(last.to, 1) }, scrollIntoView: true }),
      effects: setMarks.of(textMarks),
      annotations: isolateHistory.of('full'),
    });
  }
}
