/** The KV of one request on ONNX Runtime. It keeps nothing for others: every request runs its whole prompt. */

import type { ModelConfig } from '../config.ts';
import type { SequenceCache } from '../forward/planned-model.ts';
import { FixedRoom } from '../kv/fixed-room.ts';
import type { KvStore } from './backend.ts';

export class OnnxCache extends FixedRoom implements SequenceCache {
  length = 0;
  readonly capacity: number;
  readonly origin: number;
  readonly context: ModelConfig['contextAttention'];
  #store: KvStore | null;
  readonly #onFree: () => void;
  #running = 0;
  #freed = false;

  constructor(
    capacity: number,
    context: ModelConfig['contextAttention'],
    origin: number,
    store: KvStore,
    onFree: () => void,
  ) {
    super();
    this.capacity = capacity;
    this.context = context;
    this.origin = origin;
    this.#store = store;
    this.#onFree = onFree;
  }

  get store(): KvStore {
    if (!this.#store || this.#freed) throw new Error('KV cache used after it was freed');
    return this.#store;
  }

  /** @throws RangeError when `tokens` more do not fit. */
  requireRoom(tokens: number): void {
    this.store;
    if (this.length + tokens > this.capacity) {
      throw new RangeError(`KV cache of ${this.capacity} tokens holds ${this.length}: no room for ${tokens} more`);
    }
  }

  truncate(length: number): void {
    this.store;
    if (length < 0 || length > this.length) throw new RangeError(`no ${length} tokens among ${this.length}`);
    this.length = length;
  }

  share(): void {}

  /** Buffers that a running forward reads are released when it ends. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#drop();
  }

  /** Runs a forward on the store. `free` does not release the store before the forward ends. */
  async during<T>(forward: (store: KvStore) => Promise<T>): Promise<T> {
    const { store } = this;
    this.#running++;
    try {
      return await forward(store);
    } finally {
      this.#running--;
      this.#drop();
    }
  }

  #drop(): void {
    if (!this.#freed || this.#running > 0 || !this.#store) return;
    this.#store.free();
    this.#store = null;
    this.#onFree();
  }
}
