/** KV memory: pages of a few tokens from one pool, each owned by one request. */
import { OutOfMemoryError } from './errors.ts';
import type { KvCache } from './model.ts';

/** Bytes of a page of `pageTokens` tokens: i16 K and V plus a float scale each, all layers (layout: wasm/kv.ts). */
export function pageBytes(
  shape: { readonly numLayers: number; readonly numKvHeads: number; readonly headDim: number },
  pageTokens: number,
): number {
  return shape.numLayers * shape.numKvHeads * pageTokens * (4 * shape.headDim + 8);
}

export class KvPool {
  readonly pageTokens: number;
  readonly pages: number;
  private readonly free: number[] = [];

  /** @param base address of the first page of `bytes` bytes. */
  constructor(base: number, pages: number, bytes: number, pageTokens: number) {
    this.pages = pages;
    this.pageTokens = pageTokens;
    for (let page = pages - 1; page >= 0; page--) this.free.push(base + page * bytes);
  }

  get freeTokens(): number {
    return this.free.length * this.pageTokens;
  }

  get maxTokens(): number {
    return this.pages * this.pageTokens;
  }

  /** @throws OutOfMemoryError, with nothing taken. */
  create(tokens: number): PagedKvCache {
    const wanted = Math.ceil(tokens / this.pageTokens);
    if (wanted > this.pages) {
      throw new OutOfMemoryError(`${tokens} tokens of KV cache do not fit; at most ${this.maxTokens} do`, false);
    }
    if (wanted > this.free.length) {
      throw new OutOfMemoryError(
        `${tokens} tokens of KV cache do not fit now; ${this.freeTokens} of ${this.maxTokens} are free`,
        true,
      );
    }
    return new PagedKvCache(this, Int32Array.from(this.free.splice(-wanted, wanted)));
  }

  release(pages: Int32Array): void {
    this.free.push(...pages);
  }
}

export class PagedKvCache implements KvCache {
  private readonly pool: KvPool;
  private owned: Int32Array | null; // (pages) addresses
  private used = 0;

  constructor(pool: KvPool, pages: Int32Array) {
    this.pool = pool;
    this.owned = pages;
  }

  get length(): number {
    return this.used;
  }

  get capacity(): number {
    return this.pages.length * this.pool.pageTokens;
  }

  get pages(): Int32Array {
    if (!this.owned) throw new Error('KV cache used after it was freed');
    return this.owned;
  }

  /** @throws RangeError when `tokens` more do not fit. */
  requireRoom(tokens: number): void {
    if (this.used + tokens > this.capacity) {
      throw new RangeError(`KV cache of ${this.capacity} tokens holds ${this.used}: no room for ${tokens} more`);
    }
  }

  /** The next `tokens` tokens of KV have been written and are final. */
  advance(tokens: number): void {
    this.requireRoom(tokens);
    this.used += tokens;
  }

  truncate(length: number): void {
    if (length < 0 || length > this.used) throw new RangeError(`no ${length} tokens among ${this.used}`);
    this.used = length;
  }

  free(): void {
    if (!this.owned) return;
    this.pool.release(this.owned);
    this.owned = null;
  }
}
