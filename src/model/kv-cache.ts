/** KV memory: pages of a few tokens from one pool. One request writes a page. Requests that begin alike read it. */
import type { ModelConfig } from './config.ts';
import { OutOfMemoryError } from './errors.ts';
import type { SequenceCache } from './forward/planned-model.ts';
import type { CachePrefix } from './model.ts';
import { type CachedPage, PrefixCache } from './prefix-cache.ts';

/** Under `full` context a block may be as long as the canvas, so pages do not follow blocks. */
const FULL_CONTEXT_PAGE = 32;

/** Tokens of a page: one block, so that the tokens of one commit lie together. */
export function pageTokensOf({
  contextAttention,
  blockLength,
}: Pick<ModelConfig, 'contextAttention' | 'blockLength'>): number {
  return contextAttention === 'full' ? FULL_CONTEXT_PAGE : blockLength;
}

export class KvPool {
  readonly pageTokens: number;
  readonly pages: number;
  /** Pages of ended requests, for later requests that begin alike; null when no page is kept. */
  readonly prefixes: PrefixCache | null;
  /** Under block-causal context the KV of a page depends on the whole page: one commit must have written all of it. */
  readonly wholePages: boolean;
  readonly #free: number[] = [];

  /**
   * @param base address of the first page of `bytes` bytes
   * @param context attention of committed tokens, if prefixes are to be reused; null keeps no page
   */
  constructor(
    base: number,
    pages: number,
    bytes: number,
    pageTokens: number,
    context: ModelConfig['contextAttention'] | null = null,
  ) {
    this.pages = pages;
    this.pageTokens = pageTokens;
    this.prefixes = context === null || context === 'full' ? null : new PrefixCache(pageTokens);
    this.wholePages = context === 'block_causal';
    for (let page = pages - 1; page >= 0; page--) this.#free.push(base + page * bytes);
  }

  /** Pages kept for reuse count as free: they make way for any request. */
  get freeTokens(): number {
    const idle = this.prefixes ? this.prefixes.idlePages : 0;
    return (this.#free.length + idle) * this.pageTokens;
  }

  get maxTokens(): number {
    return this.pages * this.pageTokens;
  }

  /**
   * @param prefix beginning of the request; without it no page is reused or kept for others
   * @param origin position at which its first whole block begins
   * @throws OutOfMemoryError, with nothing taken.
   */
  create(tokens: number, prefix?: CachePrefix, origin = 0): PagedKvCache {
    const wanted = Math.ceil(tokens / this.pageTokens);
    if (wanted > this.pages) {
      throw new OutOfMemoryError(`${tokens} tokens of KV cache do not fit; at most ${this.maxTokens} do`, false);
    }
    const shared = prefix ? this.#reusable(prefix, wanted) : [];
    const fresh = wanted - shared.length;
    if (fresh * this.pageTokens > this.freeTokens) {
      this.prefixes?.release(shared);
      throw new OutOfMemoryError(
        `${tokens} tokens of KV cache do not fit now; ${this.freeTokens} of ${this.maxTokens} are free`,
        true,
      );
    }
    while (this.#free.length < fresh) this.release(this.prefixes?.evict() ?? unreachable());
    const pages = [...shared.map(({ page }) => page), ...this.#free.splice(this.#free.length - fresh)];
    return new PagedKvCache(this, Uint32Array.from(pages), shared, prefix ?? null, origin);
  }

  release(page: number): void {
    this.#free.push(page);
  }

  /** Held pages of the prompt's beginning. At least the last token is left to run: it predicts the next id. */
  #reusable({ ids, key }: CachePrefix, most: number): CachedPage[] {
    const pages = Math.min(most, Math.floor((ids.length - 1) / this.pageTokens));
    return this.prefixes?.hold(key, ids, pages) ?? [];
  }
}

export class PagedKvCache implements SequenceCache {
  readonly origin: number;
  readonly #pool: KvPool;
  #owned: Uint32Array | null; // (pages) addresses
  readonly #ids: Int32Array; // (capacity) of the committed tokens
  /** First pages of the sequence in the prefix cache. A page here that is not in `#owned` has the same tokens as ours. */
  readonly #chain: CachedPage[];
  readonly #key: string | null;
  #used: number;
  /** Leading tokens whose KV equals that of a prefill of the same ids. */
  #exact: number;

  /** @param shared held pages: the first of `pages` */
  constructor(pool: KvPool, pages: Uint32Array, shared: CachedPage[], prefix: CachePrefix | null, origin: number) {
    this.#pool = pool;
    this.origin = origin;
    this.#owned = pages;
    this.#chain = shared;
    this.#key = prefix?.key ?? null;
    this.#used = shared.length * pool.pageTokens;
    this.#exact = this.#used;
    this.#ids = new Int32Array(this.capacity);
    if (prefix) this.#ids.set(prefix.ids.subarray(0, this.#used));
  }

  get length(): number {
    return this.#used;
  }

  get capacity(): number {
    return this.pages.length * this.#pool.pageTokens;
  }

  get pages(): Uint32Array {
    if (!this.#owned) throw new Error('KV cache used after it was freed');
    return this.#owned;
  }

  /** @throws RangeError when `tokens` more do not fit. */
  requireRoom(tokens: number): void {
    if (this.#used + tokens > this.capacity) {
      throw new RangeError(`KV cache of ${this.capacity} tokens holds ${this.#used}: no room for ${tokens} more`);
    }
  }

  /** Takes the next tokens, whose final KV one commit has written. */
  advance(ids: Int32Array): void {
    this.requireRoom(ids.length);
    this.#ids.set(ids, this.#used);
    const wasExact = this.#exact === this.#used;
    this.#used += ids.length;
    if (wasExact) this.#exact = this.#wholeUpTo(this.#used);
  }

  /** Takes the next tokens, whose KV was written among masks: only this request may use it. */
  keep(ids: Int32Array): void {
    this.requireRoom(ids.length);
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
    const { pages } = this;
    const key = this.#key;
    const { prefixes, pageTokens } = this.#pool;
    if (!prefixes || key === null) return;
    for (let i = this.#chain.length; (i + 1) * pageTokens <= this.#exact; i++) {
      const ids = this.#ids.slice(i * pageTokens, (i + 1) * pageTokens);
      const cached = prefixes.add(key, this.#chain.at(-1) ?? null, ids, pages[i] ?? unreachable());
      if (!cached) return;
      this.#chain.push(cached);
    }
  }

  free(): void {
    if (!this.#owned) return;
    this.share();
    for (const [i, page] of this.#owned.entries()) if (this.#chain[i]?.page !== page) this.#pool.release(page);
    this.#pool.prefixes?.release(this.#chain);
    this.#owned = null;
  }

  #wholeUpTo(length: number): number {
    return this.#pool.wholePages ? length - (length % this.#pool.pageTokens) : length;
  }
}

function unreachable(): never {
  throw new Error('the KV pool has lost count of its pages');
}
