/** The state of a completion while it is denoised. Pure: both the drawing and the measures come from it. */
import type { StepToken } from '../../shared/run-event.ts';

export interface DraftToken {
  readonly text: string;
  readonly prob: number;
  /** What stood here before it was revised. */
  readonly before: string | null;
  /** Forward that decided it, from 0. */
  readonly forward: number;
}

/** A position that nothing is decided for; `again` where something was. */
export interface Mask {
  readonly again: boolean;
}

/** How far masks are shown: as far as the sampler looks. */
export interface Horizon {
  readonly maxTokens: number;
  /** Null: not known, so no masks ahead of what is decided. */
  readonly blockLength: number | null;
  /** Windows slide with the text; otherwise blocks stand at multiples of their length. */
  readonly sliding: boolean;
}

export class DraftText {
  /** Text that will never change again. */
  settled = '';
  /** Leading tokens that it consists of. */
  settledTokens = 0;
  /** Steps so far. */
  forwards = 0;
  revisions = 0;
  readonly #horizon: Horizon;
  readonly #tokens: (DraftToken | undefined)[] = [];
  readonly #remasked = new Set<number>();
  /** Of `settled`, what `settledTokens` account for. */
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
    // Drafts after a revised one are masks again in the sampler only when it says so; a hole at the end is none.
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

  /** Which tokens make up the settled text. Text may come later than its tokens, and never earlier. */
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

  /** Tokens that hold parts of a character: the text up to the next whole token is theirs, shown at the first of them. */
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

/** What a token's bytes become that are no character by themselves. */
const BROKEN = '\ufffd';

export function isMask(token: DraftToken | Mask): token is Mask {
  return 'again' in token;
}
