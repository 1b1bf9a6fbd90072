/** Shows what the page says about a run: measures, sentences, errors. */
import type { DraftsBySource } from '../shared/run-event.ts';
import { element } from './elements.ts';
import type { Measures } from './measures.ts';

export type Reading = readonly [label: string, value: string];

export class Panel {
  readonly #readings = element('readings', HTMLElement);
  readonly #status = element('status', HTMLElement);
  readonly #problem = element('problem', HTMLElement);

  show(readings: readonly Reading[]): void {
    showReadings(this.#readings, readings);
  }

  say(sentence: string): void {
    // A screen reader would read the same sentence again.
    if (this.#status.textContent !== sentence) this.#status.textContent = sentence;
    this.#problem.textContent = '';
  }

  complain(sentence: string): void {
    this.#status.textContent = '';
    this.#problem.textContent = sentence;
  }
}

const DASH = '\u2013';
const SOURCES: Readonly<Record<keyof DraftsBySource, string>> = {
  prediction: 'Predicted, held',
  lookup: 'Looked up, held',
  mask: 'Masks, held',
};

/** @param list a `dl`, which loses what it has shown before */
export function showReadings(list: HTMLElement, readings: readonly Reading[]): void {
  list.replaceChildren(
    ...readings.map(([label, value]) => {
      const group = document.createElement('div');
      group.append(tag('dt', label), tag('dd', value));
      return group;
    }),
  );
}

/** @param drafts null: not known yet */
export function readingsOf(measures: Measures, drafts: DraftsBySource | null): readonly Reading[] {
  const { tokens, tokensPerSecond, forwards, tokensPerForward, firstMs, revisions } = measures;
  return [
    ['Tokens per second', tokensPerSecond?.toFixed(1) ?? DASH],
    ['First token', firstMs === null ? DASH : `${Math.round(firstMs)} ms`],
    ['Tokens', tokens === 0 ? DASH : String(tokens)],
    ['Forwards', forwards === 0 ? DASH : String(forwards)],
    ['Tokens per forward', tokensPerForward?.toFixed(2) ?? DASH],
    ['Revised', forwards === 0 ? DASH : String(revisions)],
    ...draftReadings(drafts),
  ];
}

/** How many drafts of each source were checked, and how many of them held. */
export function draftReadings(drafts: DraftsBySource | null): readonly Reading[] {
  const sources = Object.entries(drafts ?? {}) as [keyof DraftsBySource, { held: number; offered: number }][];
  if (sources.length === 0) return [['Drafts held', drafts === null ? DASH : 'none made']];
  return sources.map(([source, { held, offered }]) => [SOURCES[source], `${held} of ${offered}`]);
}

function tag(name: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
