/** The state of a completion while it is denoised. Pure: both the drawing and the measures come from it. */
import type { StepToken } from '../../shared/run-event.ts';

export interface DraftToken {
  readonly text: string;
  readonly prob: number;
  /** The text before the revision. Null: this token revised nothing. */
  readonly before: string | null;
  /** Index of the forward that decided the token, from 0. */
  readonly forward: number;
}

/** An undecided position. `again`: it was decided before, and was remasked. */
export interface Mask {
  readonly again: boolean;
}

/** How far the masks reach: as far as the sampler looks. */
export interface Horizon {
  readonly maxTokens: number;
  /** Null: not known. Then no masks are shown after the decided tokens. */
  readonly blockLength: number | null;
  /** True: a window slides with the text. False: blocks begin at multiples of their length. */
  readonly sliding: boolean;
}

export class DraftText {
  /** Final text. */
  settled = '';
  /** How many leading tokens make up `settled`. */
  settledTokens = 0;
  /** Forwards so far. */
  forwards = 0;
  revisions = 0;
  readonly #horizon: Horizon;
  readonly #tokens: (DraftToken | undefined)[] = [];
  readonly #remasked = new Set<number>();
  /** Length of the part of `settled` that `settledTokens` make up, in UTF-16 units. */
  #settledLength = 0;

  constructor(horizon: Horizon) {
    this.#horizon = horizon;
  }

  /** Positions that are shown, decided or not. */
  get length(): number {
    const { maxTokens, blockLength, sliding } = this.#horizon;
    const open = this.#firstOpen();
    if (blockLength === null) return Math.min(maxTokens, Math.max(this.#tokens.length, open));
    const end = sliding ? open + blockLength : (Math.floor(open / blockLength) + 1) * blockLength;
    return Math.min(maxTokens, Math.max(this.#tokens.length, end));
  }

  at(position: number): DraftToken | Mask {
    return this.#tokens[position] ?? { again: this.#remasked.has(position) };
  }

  /** Whether a block begins here. Sliding windows have no borders. */
  startsBlock(position: number): boolean {
    const { blockLength, sliding } = this.#horizon;
    return !sliding && blockLength !== null && blockLength > 1 && position > 0 && position % blockLength === 0;
  }

  step(tokens: readonly StepToken[], remasked: readonly number[]): void {
    for (const { position, text, prob, revised } of tokens) {
      const before = revised ? (this.#tokens[position]?.text ?? null) : null;
      if (revised) this.revisions += 1;
      this.#tokens[position] = { text, prob, before, forward: this.forwards };
      this.#remasked.delete(position);
    }
    for (const position of remasked) {
      delete this.#tokens[position];
      this.#remasked.add(position);
    }
    // The sampler names every position that it masks again. Trailing empty entries of the array are not positions.
    while (this.#tokens.length > 0 && !(this.#tokens.length - 1 in this.#tokens)) this.#tokens.length -= 1;
    this.forwards += 1;
    this.#account();
  }

  settle(text: string): void {
    this.settled += text;
    this.#account();
  }

  #firstOpen(): number {
    let open = this.settledTokens;
    while (open in this.#tokens) open += 1;
    return open;
  }

  /** Counts the tokens that make up the settled text. Text may come later than its tokens, but never earlier. */
  #account(): void {
    for (;;) {
      const token = this.#tokens[this.settledTokens];
      if (token === undefined) return;
      if (token.text.includes(BROKEN)) {
        if (!this.#accountForBytes()) return;
        continue;
      }
      const end = this.#settledLength + token.text.length;
      if (end > this.settled.length || !this.settled.startsWith(token.text, this.#settledLength)) return;
      this.#settledLength = end;
      this.settledTokens += 1;
    }
  }

  /** For tokens that hold parts of a character. The first of them shows the text up to the next whole token. */
  #accountForBytes(): boolean {
    const first = this.settledTokens;
    let next = first;
    while (this.#tokens[next]?.text.includes(BROKEN)) next += 1;
    const following = this.#tokens[next];
    const end = following ? this.settled.indexOf(following.text, this.#settledLength + 1) : -1;
    if (end < 0) return false;
    for (let position = first; position < next; position++) {
      const token = this.#tokens[position];
      const text = position === first ? this.settled.slice(this.#settledLength, end) : '';
      if (token) this.#tokens[position] = { ...token, text };
    }
    this.#settledLength = end;
    this.settledTokens = next;
    return true;
  }
}

/** The decoder writes this where a token's bytes are only part of a character. */
const BROKEN = '\ufffd';

export function isMask(token: DraftToken | Mask): token is Mask {
  return 'again' in token;
}
