/**
 * Hands out addresses of one fixed WASM memory, each once. No memory comes back: all sizes are planned before
 * allocation.
 */

/** The first page holds the kernels' constants. */
const BASE = 65536;
const ALIGNMENT = 64;

export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Bytes of the WASM memory of an arena: its constants, the pieces, and the rest of the last page of 64 KiB. */
export function arenaBytes(pieces: number): number {
  return Math.ceil((BASE + pieces) / 65536) * 65536;
}

export class Arena {
  readonly memory: WebAssembly.Memory;
  #next = BASE;

  /**
   * @param bytes sum of all pieces, each rounded up with `align`
   * @param shared whether threads share the memory: only the kernels' shared builds can be instantiated with it
   */
  constructor(bytes: number, shared = false) {
    // Created at its final size: growing would detach every view.
    const pages = arenaBytes(bytes) / 65536;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  }

  /** Address of `bytes` fresh zero bytes, 64-byte aligned. */
  take(bytes: number): number {
    const address = this.#next;
    this.#next += align(bytes);
    if (this.#next > this.memory.buffer.byteLength) {
      throw new RangeError(`arena of ${this.memory.buffer.byteLength} bytes has no room for ${bytes} more`);
    }
    return address;
  }

  bytes(address: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  f32(address: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.memory.buffer, address, length);
  }

  u32(address: number, length: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.memory.buffer, address, length);
  }

  i32(address: number, length: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.memory.buffer, address, length);
  }
}
