/** Buffers that grow to the largest size asked for and are then reused. So a conversion allocates only once. */

export class Scratch {
  #buffer = new ArrayBuffer(0);

  /** `bytes` bytes, 8-byte aligned, with whatever was in them before. */
  bytes(bytes: number): Uint8Array<ArrayBuffer> {
    if (this.#buffer.byteLength < bytes) this.#buffer = new ArrayBuffer(bytes);
    return new Uint8Array(this.#buffer, 0, bytes);
  }

  floats(length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.bytes(length * 4).buffer, 0, length);
  }
}
