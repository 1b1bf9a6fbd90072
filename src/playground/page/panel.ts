/** Shows what the page says about a run: measures, sentences, errors. */
import { element } from './elements.ts';
import type { Measures } from './measures.ts';

export type Reading = readonly [label: string, value: string];

export class Panel {
  readonly #readings = element('readings', HTMLElement);
  readonly #status = element('status', HTMLElement);
  readonly #problem = element('problem', HTMLElement);

  show(readings: readonly Reading[]): void {
    this.#readings.replaceChildren(
      ...readings.map(([label, value]) => {
        const group = document.createElement('div');
        group.append(tag('dt', label), tag('dd', value));
        return group;
      }),
    );
  }

  say(sentence: string): void {
    this.#status.textContent = sentence;
    this.#problem.textContent = '';
  }

  complain(sentence: string): void {
    this.#status.textContent = '';
    this.#problem.textContent = sentence;
  }
}

const DASH = '\u2013';

export function readingsOf(measures: Measures): readonly Reading[] {
  const { tokens, tokensPerSecond, forwards, tokensPerForward, firstMs, revisions } = measures;
  return [
    ['Tokens per second', tokensPerSecond?.toFixed(1) ?? DASH],
    ['First token', firstMs === null ? DASH : `${Math.round(firstMs)} ms`],
    ['Tokens', tokens === 0 ? DASH : String(tokens)],
    ['Forwards', forwards === 0 ? DASH : String(forwards)],
    ['Tokens per forward', tokensPerForward?.toFixed(2) ?? DASH],
    ['Revised', forwards === 0 ? DASH : String(revisions)],
  ];
}

function tag(name: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
