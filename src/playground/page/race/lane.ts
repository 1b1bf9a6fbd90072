/** One column of a race: the text while it is written, and what it has cost by then. */
import type { JobDecoding } from '../../shared/job.ts';
import type { RunEnd, RunEvent } from '../../shared/run-event.ts';
import { DenoiseView } from '../editor/denoise-view.ts';
import { DraftText } from '../editor/draft-text.ts';
import { element } from '../elements.ts';
import { draftReadings, showReadings } from '../panel.ts';

const DASH = '\u2013';

export class RaceLane {
  readonly #box: HTMLElement;
  readonly #readings: HTMLElement;
  readonly #blockLength: number | null;
  #draft!: DraftText;
  #view!: DenoiseView;
  #end: RunEnd | null = null;

  /** @param id of the column in index.html */
  constructor(id: string, { blockLength }: JobDecoding) {
    this.#box = element(`race-${id}-text`, HTMLElement);
    this.#readings = element(`race-${id}-readings`, HTMLElement);
    this.#blockLength = blockLength;
    // It scrolls, so it has to be within reach of the keyboard.
    this.#box.tabIndex = 0;
  }

  get tokens(): number {
    return this.#draft.settledTokens;
  }

  /** Empties the column. */
  begin(maxTokens: number): void {
    this.#draft = new DraftText({ maxTokens, blockLength: this.#blockLength, sliding: true });
    this.#view = new DenoiseView();
    this.#end = null;
    this.#box.replaceChildren(this.#view.element);
    this.draw(null);
  }

  apply(event: RunEvent): void {
    if (event.type === 'step') this.#draft.step(event.tokens, event.remasked);
    if (event.type === 'text') this.#draft.settle(event.text);
    if (event.type === 'done') this.#end = event;
  }

  /** @param ms on this run's clock. Null: it has not begun */
  draw(ms: number | null): void {
    const [draft, end] = [this.#draft, this.#end];
    this.#view.draw(draft);
    // Screen readers read the text once it is final.
    if (end !== null) this.#view.element.removeAttribute('aria-hidden');
    this.#box.scrollTop = this.#box.scrollHeight;
    const [tokens, forwards] = [end?.tokens ?? draft.settledTokens, end?.nfe ?? draft.forwards];
    showReadings(this.#readings, [
      ['Tokens', ms === null ? DASH : String(tokens)],
      ['Forwards', ms === null ? DASH : String(forwards)],
      ['Tokens per forward', forwards > 0 ? (tokens / forwards).toFixed(2) : DASH],
      ['Seconds', ms === null ? DASH : (ms / 1000).toFixed(2)],
      ...draftReadings(end?.drafts ?? null),
    ]);
  }
}
