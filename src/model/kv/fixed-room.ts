/** The room of a cache that takes all of it at once, and cannot give it back before its end. */
export abstract class FixedRoom {
  readonly suspended = false;
  abstract readonly capacity: number;

  get room(): number {
    return this.capacity;
  }

  reserve(): boolean {
    return true;
  }

  suspend(): boolean {
    return false;
  }

  restore(): Int32Array {
    return new Int32Array();
  }
}
