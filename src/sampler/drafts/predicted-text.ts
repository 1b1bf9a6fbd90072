/** Follows a text that its reader has predicted, while another one is written. */

/** A match is not compared further. */
const LONGEST_MATCH = 16;
/** A match of one token counts only so many places after the old one: anywhere else it says nothing. */
const NEAR = 64;

/**
 * The place in the predicted ids that stands for the end of the written ones. An id that differs moves it: to the end of the
 * longest match of the last written ids, of equals to the nearest after the old place, then to the nearest before it.
 * Where nothing matches, the id is taken for another one in the same place.
 */
export class PredictedText {
  readonly #ids: Int32Array; // (N)
  readonly #written: number[] = [];
  readonly #seen: Uint8Array; // (N)
  /** Place of the id that comes next; N at the end. */
  place = 0;
  /** Ids before the place that agree; counted up to `LONGEST_MATCH`. */
  match = 0;

  /** @param ids (N) */
  constructor(ids: Int32Array) {
    this.#ids = ids;
    this.#seen = new Uint8Array(ids.length);
  }

  /** Predicted ids that were written, each counted once. */
  get accepted(): number {
    return this.#seen.reduce((sum, seen) => sum + seen, 0);
  }

  /** Predicted ids that were not written. */
  get rejected(): number {
    return this.#ids.length - this.accepted;
  }

  push(ids: Int32Array): void {
    for (const id of ids) {
      this.#written.push(id);
      if (this.#written.length > LONGEST_MATCH) this.#written.shift();
      if (this.#ids[this.place] === id) {
        this.#seen[this.place] = 1;
        this.place += 1;
        this.match = Math.min(this.match + 1, LONGEST_MATCH);
      } else {
        this.#realign();
      }
    }
  }

  /** The predicted ids from the place on. */
  next(most: number): Int32Array {
    return this.#ids.subarray(this.place, this.place + most);
  }

  #realign(): void {
    const old = this.place;
    let best = { place: Math.min(old + 1, this.#ids.length), match: 0 };
    const consider = (place: number) => {
      const match = this.#matchBefore(place);
      const counts = match > 1 || (place > old && place <= old + NEAR);
      if (counts && match > best.match) best = { place, match };
    };
    for (let place = old + 1; place <= this.#ids.length; place++) consider(place);
    for (let place = Math.min(old, this.#ids.length); place > 0; place--) consider(place);
    this.place = best.place;
    this.match = best.match;
    if (best.match > 0) this.#seen[best.place - 1] = 1;
  }

  #matchBefore(place: number): number {
    const written = this.#written;
    let match = 0;
    while (match < written.length && match < place && this.#ids[place - 1 - match] === written.at(-1 - match)) match++;
    return match;
  }
}
