/** Draws at most once per frame, however often it is asked to draw. */
export class Frame {
  readonly #draw: () => void;
  #handle: number | null = null;

  constructor(draw: () => void) {
    this.#draw = draw;
  }

  request(): void {
    this.#handle ??= requestAnimationFrame(() => {
      this.#handle = null;
      this.#draw();
    });
  }

  stop(): void {
    if (this.#handle !== null) cancelAnimationFrame(this.#handle);
    this.#handle = null;
  }
}
