import type { ModelConfig } from '../config.ts';
import type { SequenceCache } from '../forward/planned-model.ts';
import type { CachePrefix } from '../model.ts';
import type { CachedPage, PrefixCache } from './prefix-cache.ts';

/** Where a cache has its pages from: `KvPool`. */
export interface PageSource {
  readonly pageTokens: number;
  /** Null when no page is kept for later requests. */
  readonly prefixes: PrefixCache | null;
  take(pages: number): number[] | null;
  release(page: number): void;
  reusable(key: string, ids: Int32Array, length: number, most: number): CachedPage[];
}

/**
 * The KV of one request, in pages of the pool. It takes a page when it needs one. It can give all of them back and have its
 * tokens run again later, with the same bits (`suspend`, `restore`).
 */
export class PagedKvCache implements SequenceCache {
  readonly origin: number;
  readonly context: ModelConfig['contextAttention'];
  readonly capacity: number;
  readonly #pool: PageSource;
  /** Addresses. Null after `free`. */
  #table: Uint32Array | null; // (capacity in pages)
  /** Pages in the table. */
  #count = 0;
  readonly #ids: Int32Array; // (capacity) of the committed tokens
  /** First pages of the sequence in the prefix cache. A page here that is not in the table has the same tokens as ours. */
  #chain: CachedPage[];
  readonly #key: string | null;
  #used: number;
  /** Leading tokens whose KV equals that of a prefill of the same ids. */
  #exact: number;
  #suspended = false;
  /** Whether commits of all ids would write the same KV again. */
  #repeatable = true;

  /**
   * @param wanted pages at most
   * @param pages that are its own
   * @param shared held pages, before its own
   */
  constructor(
    pool: PageSource,
    wanted: number,
    pages: readonly number[],
    shared: CachedPage[],
    prefix: CachePrefix | null,
    origin: number,
    context: ModelConfig['contextAttention'],
  ) {
    this.#pool = pool;
    this.origin = origin;
    this.context = context;
    this.capacity = wanted * pool.pageTokens;
    this.#table = new Uint32Array(wanted);
    this.#chain = shared;
    this.#key = prefix?.key ?? null;
    this.#used = shared.length * pool.pageTokens;
    this.#exact = this.#used;
    this.#ids = new Int32Array(this.capacity);
    if (prefix) this.#ids.set(prefix.ids.subarray(0, this.#used));
    this.#append(shared.map(({ page }) => page));
    this.#append(pages);
  }

  get length(): number {
    return this.#used;
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  get room(): number {
    return this.#count * this.#pool.pageTokens;
  }

  /** Addresses of the pages that it has. */
  get pages(): Uint32Array {
    return this.#owned.subarray(0, this.#count);
  }

  get #owned(): Uint32Array {
    if (!this.#table) throw new Error('KV cache used after it was freed');
    return this.#table;
  }

  requireRoom(tokens: number): void {
    if (this.#used + tokens > this.capacity) {
      throw new RangeError(`KV cache of ${this.capacity} tokens holds ${this.#used}: no room for ${tokens} more`);
    }
    if (this.#suspended) throw new Error('a suspended KV cache has to be restored first');
  }

  reserve(positions: number): boolean {
    this.#owned;
    const wanted = Math.ceil(Math.min(this.#used + positions, this.capacity) / this.#pool.pageTokens);
    const pages = this.#pool.take(Math.max(wanted - this.#count, 0));
    if (pages) this.#append(pages);
    return pages !== null;
  }

  /** Takes the next tokens, whose final KV one commit has written. */
  advance(ids: Int32Array): void {
    this.requireRoom(ids.length);
    // A block that two commits wrote: the tokens of the first have not seen those of the second.
    if (this.#used > 0 && this.#wholeBlocksUpTo(this.#used) < this.#used) this.#repeatable = false;
    this.#ids.set(ids, this.#used);
    const wasExact = this.#exact === this.#used;
    this.#used += ids.length;
    if (wasExact) this.#exact = this.#wholeUpTo(this.#used);
  }

  /** Takes the next tokens, whose KV was written among masks: only this request may use it. */
  keep(ids: Int32Array): void {
    this.requireRoom(ids.length);
    if (ids.length > 0) this.#repeatable = false;
    this.#ids.set(ids, this.#used);
    this.#used += ids.length;
  }

  truncate(length: number): void {
    if (length < 0 || length > this.#used) throw new RangeError(`no ${length} tokens among ${this.#used}`);
    const shared = this.#chain.length * this.#pool.pageTokens;
    if (length < shared) throw new RangeError(`cannot truncate to ${length} tokens: the first ${shared} are shared`);
    this.#used = length;
    this.#exact = Math.min(this.#exact, this.#wholeUpTo(length));
  }

  share(): void {
    const owned = this.#owned;
    const key = this.#key;
    const { prefixes, pageTokens } = this.#pool;
    if (!prefixes || key === null || this.#suspended) return;
    for (let i = this.#chain.length; (i + 1) * pageTokens <= this.#exact; i++) {
      const ids = this.#ids.slice(i * pageTokens, (i + 1) * pageTokens);
      const cached = prefixes.add(key, this.#chain.at(-1) ?? null, ids, owned[i]!);
      if (!cached) return;
      this.#chain.push(cached);
    }
  }

  suspend(): boolean {
    if (this.#suspended || !this.#repeatable) return false;
    this.#giveBack();
    this.#suspended = true;
    return true;
  }

  restore(final: number): Int32Array {
    this.#owned;
    if (!this.#suspended) return new Int32Array();
    const { pageTokens } = this.#pool;
    // The last token may come from the prefix cache too: nobody asks what follows it.
    const length = Math.min(this.#used, final) + 1;
    const most = this.capacity / pageTokens;
    this.#chain = this.#key === null ? [] : this.#pool.reusable(this.#key, this.#ids, length, most);
    this.#append(this.#chain.map(({ page }) => page));
    const reused = this.#chain.length * pageTokens;
    const lost = this.#ids.slice(reused, this.#used);
    this.#suspended = false;
    this.#used = reused;
    this.#exact = reused;
    return lost;
  }

  free(): void {
    if (!this.#table) return;
    if (!this.#suspended) this.#giveBack();
    this.#table = null;
  }

  /** Offers what others may reuse, then returns the pages to the pool. */
  #giveBack(): void {
    this.share();
    for (const [i, page] of this.pages.entries()) if (this.#chain[i]?.page !== page) this.#pool.release(page);
    this.#pool.prefixes?.release(this.#chain);
    this.#chain = [];
    this.#count = 0;
  }

  #append(pages: readonly number[]): void {
    this.#owned.set(pages, this.#count);
    this.#count += pages.length;
  }

  /** Under block-causal context the KV of a page depends on the whole page: one commit must have written all of it. */
  #wholeUpTo(length: number): number {
    return this.context === 'block_causal' ? length - (length % this.#pool.pageTokens) : length;
  }

  /** The last boundary of a block at or before `length`, where attention goes both ways within one. A block is a page. */
  #wholeBlocksUpTo(length: number): number {
    const { pageTokens } = this.#pool;
    if (this.context !== 'block_causal') return length;
    return length - ((((length - this.origin) % pageTokens) + pageTokens) % pageTokens);
  }
}
