/** Draws a completion at its place in the editor while it is denoised. */
import { type DraftText, type DraftToken, isMask, type Mask } from './draft-text.ts';

export class DenoiseView {
  readonly element = document.createElement('span');
  readonly #spans: HTMLSpanElement[] = [];
  /** Number of leading spans that are settled and do not change any more. */
  #settled = 0;

  constructor() {
    this.element.className = 'denoise';
    // Screen readers should read the final text, not half-decided text.
    this.element.setAttribute('aria-hidden', 'true');
  }

  draw(draft: DraftText): void {
    const { length, settledTokens } = draft;
    while (this.#spans.length > Math.max(length, settledTokens)) this.#spans.pop()?.remove();
    for (let position = this.#settled; position < length; position++) {
      const span = this.#spans[position] ?? this.#add();
      paint(span, draft.at(position), draft.startsBlock(position), position < settledTokens);
    }
    this.#settled = Math.min(settledTokens, length);
  }

  #add(): HTMLSpanElement {
    const span = document.createElement('span');
    this.#spans.push(span);
    this.element.append(span);
    return span;
  }
}

function paint(span: HTMLSpanElement, token: DraftToken | Mask, border: boolean, settled: boolean): void {
  const classes = border ? ['block-start'] : [];
  if (isMask(token)) {
    set(span, [...classes, 'mask', ...(token.again ? ['again'] : [])].join(' '), '\u2003\u200b');
    span.title = token.again ? 'masked again' : 'mask';
    return;
  }
  classes.push(settled ? 'settled' : 'draft');
  if (token.before !== null) classes.push('revised');
  set(span, classes.join(' '), settled ? token.text : visible(token.text));
  span.style.setProperty('--p', token.prob.toFixed(3));
  span.title = tokenTitle(token);
}

function set(span: HTMLSpanElement, className: string, text: string): void {
  if (span.className !== className) span.className = className;
  if (span.textContent !== text) span.textContent = text;
}

/** Shows a sign before each line break. The break alone would have no area to colour. */
function visible(text: string): string {
  return text.replaceAll('\n', '\u21b5\n');
}

export function tokenTitle({ prob, forward, before }: Pick<DraftToken, 'prob' | 'forward' | 'before'>): string {
  const was = before === null ? '' : `, was ${JSON.stringify(before)}`;
  return `probability ${prob.toFixed(2)}, forward ${forward}${was}`;
}
