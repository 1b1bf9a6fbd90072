/** The tokens while they are edited, and where each of them comes from. */

/** A change against the original tokens. */
export interface TokenEdit {
  /** Range of original tokens that are replaced: from `start` to before `end`. */
  readonly start: number;
  readonly end: number;
  readonly ids: Int32Array;
  /** Lowest confidence of the edits that made it. */
  readonly confidence: number;
  /** Nats, summed over the edits that made it. */
  readonly gain: number;
}

interface Token {
  readonly id: number;
  /** Index among the original tokens; null for a new one. */
  readonly origin: number | null;
}

type Change = Pick<TokenEdit, 'start' | 'end' | 'confidence' | 'gain'>;

export class EditedTokens {
  readonly #original: Int32Array;
  readonly #editable: (index: number) => boolean;
  #tokens: Token[];
  #records: Change[] = [];

  /**
   * @param ids (N)
   * @param editable whether the original token at an index may be replaced; the first one never is, as nothing precedes it
   */
  constructor(ids: Int32Array, editable: (index: number) => boolean) {
    this.#original = ids;
    this.#editable = editable;
    this.#tokens = Array.from(ids, (id, origin) => ({ id, origin }));
  }

  get length(): number {
    return this.#tokens.length;
  }

  at(index: number): number {
    const token = this.#tokens[index];
    if (!token) throw new RangeError(`no token ${index} among ${this.length}`);
    return token.id;
  }

  /** Ids from `start` to before `end`, or to the last token. */
  slice(start: number, end: number): Int32Array {
    return Int32Array.from(this.#tokens.slice(start, end), ({ id }) => id);
  }

  /** New tokens may be replaced again. */
  isEditable(index: number): boolean {
    const token = this.#tokens[index];
    if (!token || index === 0) return false;
    return token.origin === null || this.#editable(token.origin);
  }

  /**
   * New ids for the current tokens from `start` to before `end`, as a change against the original. A range of original tokens
   * ends at tokens that were kept. So ids that earlier edits wrote next to the new ones belong to the same change.
   */
  against(start: number, end: number, ids: Int32Array): Pick<TokenEdit, 'start' | 'end' | 'ids'> {
    let [from, to] = [start, end];
    while (from > 0 && this.#tokens[from - 1]?.origin === null) from--;
    while (to < this.length && this.#tokens[to]?.origin === null) to++;
    return {
      start: (this.#tokens[from - 1]?.origin ?? -1) + 1,
      end: this.#tokens[to]?.origin ?? this.#original.length,
      ids: Int32Array.of(...this.slice(from, start), ...ids, ...this.slice(end, to)),
    };
  }

  /** Replaces the current tokens from `start` to before `end`. */
  replace(start: number, end: number, ids: Int32Array, confidence: number, gain: number): void {
    const range = this.against(start, end, ids);
    const within = (record: Change) => record.start >= range.start && record.end <= range.end;
    const merged = this.#records.filter(within);
    this.#records = this.#records.filter((record) => !within(record));
    this.#records.push({
      start: range.start,
      end: range.end,
      confidence: Math.min(confidence, ...merged.map((record) => record.confidence)),
      gain: merged.reduce((sum, record) => sum + record.gain, gain),
    });
    const fresh = Array.from(ids, (id) => ({ id, origin: null }));
    this.#tokens = [...this.#tokens.slice(0, start), ...fresh, ...this.#tokens.slice(end)];
  }

  /** Changes against the original, in order, each as small as possible. A change that was taken back is left out. */
  edits(): TokenEdit[] {
    return this.#records
      .map((record) => this.#trimmed(record))
      .filter(({ start, end, ids }) => start < end || ids.length > 0)
      .sort((a, b) => a.start - b.start);
  }

  #trimmed({ start, end, confidence, gain }: Change): TokenEdit {
    const old = this.#original.subarray(start, end);
    const from = this.#tokens.findIndex(({ origin }) => origin === start - 1) + 1;
    const to = end === this.#original.length ? this.length : this.#tokens.findIndex(({ origin }) => origin === end);
    const now = this.slice(from, to);
    const same = shared(old, now);
    return {
      start: start + same.prefix,
      end: end - same.suffix,
      ids: now.slice(same.prefix, now.length - same.suffix),
      confidence,
      gain,
    };
  }
}

/** Lengths of the common prefix and of the common suffix of two sequences. They do not overlap. */
export function shared(a: Int32Array, b: Int32Array): { readonly prefix: number; readonly suffix: number } {
  const most = Math.min(a.length, b.length);
  let prefix = 0;
  while (prefix < most && a[prefix] === b[prefix]) prefix++;
  let suffix = 0;
  while (suffix < most - prefix && a[a.length - 1 - suffix] === b[b.length - 1 - suffix]) suffix++;
  return { prefix, suffix };
}
