/** Counts requests under way, and turns new ones away once the host stops. */
export class Drain {
  #calls = 0;
  #draining = false;
  #idle: () => void = () => {};

  get calls(): number {
    return this.#calls;
  }

  get draining(): boolean {
    return this.#draining;
  }

  enter(): void {
    this.#calls++;
  }

  leave(): void {
    this.#calls--;
    if (this.#calls === 0) this.#idle();
  }

  /** Lets no new request in; resolves when those under way are over. */
  start(): Promise<void> {
    this.#draining = true;
    return new Promise((resolve) => {
      this.#idle = resolve;
      if (this.#calls === 0) resolve();
    });
  }
}
