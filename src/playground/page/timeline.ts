/** Plots a run: forwards from left to right, positions from top to bottom, a cell for each decision. */
import type { StepToken } from '../shared/run-event.ts';

const SVG = 'http://www.w3.org/2000/svg';
/** The room of an empty plot, in forwards and positions. */
const LEAST_FORWARDS = 48;
const LEAST_POSITIONS = 32;

export class Timeline {
  readonly #svg: SVGSVGElement;
  readonly #xEnd: HTMLElement;
  readonly #yEnd: HTMLElement;
  #forwards = 0;
  #positions = 0;
  #decisions = 0;
  #most = 0;

  constructor(svg: SVGSVGElement, xEnd: HTMLElement, yEnd: HTMLElement) {
    this.#svg = svg;
    this.#xEnd = xEnd;
    this.#yEnd = yEnd;
    this.clear();
  }

  clear(): void {
    this.#svg.replaceChildren();
    this.#forwards = this.#positions = this.#decisions = this.#most = 0;
    this.#fit();
  }

  step(tokens: readonly StepToken[], remasked: readonly number[]): void {
    const cells = tokens.map(({ position, prob, revised }) =>
      this.#cell(position, revised ? 'revised' : 'decided', prob),
    );
    cells.push(...remasked.map((position) => this.#cell(position, 'again', 0)));
    this.#svg.append(...cells);
    this.#forwards += 1;
    this.#decisions += tokens.length;
    this.#most = Math.max(this.#most, tokens.length);
    this.#fit();
  }

  /** The plot in words, for readers who cannot see it. */
  get summary(): string {
    if (this.#forwards === 0) return 'Nothing was decided yet.';
    const [forwards, decisions] = [plural(this.#forwards, 'step'), plural(this.#decisions, 'decision')];
    return `${forwards} with ${decisions} over ${plural(this.#positions, 'position')}, at most ${this.#most} in one step.`;
  }

  #cell(position: number, kind: string, prob: number): SVGRectElement {
    this.#positions = Math.max(this.#positions, position + 1);
    const cell = document.createElementNS(SVG, 'rect');
    const box = { x: this.#forwards + 0.06, y: position + 0.06, width: 0.88, height: 0.88 };
    for (const [name, value] of Object.entries(box)) cell.setAttribute(name, String(value));
    cell.setAttribute('class', kind);
    cell.style.setProperty('--p', prob.toFixed(3));
    return cell;
  }

  #fit(): void {
    const width = Math.max(LEAST_FORWARDS, this.#forwards);
    const height = Math.max(LEAST_POSITIONS, this.#positions);
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#svg.setAttribute('aria-label', `Positions decided in each step. ${this.summary}`);
    this.#xEnd.textContent = String(width);
    this.#yEnd.textContent = String(height);
  }
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
