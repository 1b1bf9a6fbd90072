/** KV memory: pages of a few tokens from one pool. One request writes a page. Requests that begin alike read it. */
import type { ModelConfig } from '../config.ts';
import { OutOfMemoryError } from '../errors.ts';
import type { CachePrefix } from '../model.ts';
import { PagedKvCache, type PageSource } from './paged-cache.ts';
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

export class KvPool implements PageSource {
  readonly pageTokens: number;
  readonly pages: number;
  /** Pages of ended requests, for later requests that begin alike; null when no page is kept. */
  readonly prefixes: PrefixCache | null;
  readonly context: ModelConfig['contextAttention'];
  readonly #free: number[] = [];

  /**
   * @param base address of the first page of `bytes` bytes
   * @param context attention of committed tokens, unless a cache has its own
   * @param reuse pages of ended requests are kept
   */
  constructor(
    base: number,
    pages: number,
    bytes: number,
    pageTokens: number,
    context: ModelConfig['contextAttention'] = 'causal',
    reuse = false,
  ) {
    this.pages = pages;
    this.pageTokens = pageTokens;
    this.prefixes = reuse && context !== 'full' ? new PrefixCache(pageTokens) : null;
    this.context = context;
    for (let page = pages - 1; page >= 0; page--) this.#free.push(base + page * bytes);
  }

  /** Pages kept for reuse count as free: they make way for any request. */
  get freeTokens(): number {
    return this.#freePages * this.pageTokens;
  }

  get maxTokens(): number {
    return this.pages * this.pageTokens;
  }

  /**
   * @param tokens that the cache may ever hold
   * @param prefix beginning of the request; without it no page is reused or kept for others
   * @param origin position at which its first whole block begins
   * @param first tokens that it has room for from the start; it takes room for the others when it needs it
   * @param context attention of its tokens; the pool's, or `causal`
   * @throws OutOfMemoryError, with nothing taken.
   */
  create(
    tokens: number,
    prefix?: CachePrefix,
    origin = 0,
    first = tokens,
    context: ModelConfig['contextAttention'] = this.context,
  ): PagedKvCache {
    const wanted = Math.ceil(tokens / this.pageTokens);
    if (wanted > this.pages) {
      throw new OutOfMemoryError(`${tokens} tokens of KV cache do not fit; at most ${this.maxTokens} do`, false);
    }
    // The same ids have other KV under another context.
    const key = prefix && (context === this.context ? prefix.key : `${context} ${prefix.key}`);
    const own = prefix && key !== undefined ? { ids: prefix.ids, key } : null;
    const shared = own ? this.reusable(own.key, own.ids, own.ids.length, wanted) : [];
    const pages = this.take(Math.max(Math.ceil(Math.min(first, tokens) / this.pageTokens) - shared.length, 0));
    if (!pages) {
      this.prefixes?.release(shared);
      throw new OutOfMemoryError(
        `${tokens} tokens of KV cache do not fit now; ${this.freeTokens} of ${this.maxTokens} are free`,
        true,
      );
    }
    return new PagedKvCache(this, wanted, pages, shared, own, origin, context);
  }

  /** @returns addresses of pages, or null, with nothing taken, where there are not so many */
  take(pages: number): number[] | null {
    if (pages > this.#freePages) return null;
    while (this.#free.length < pages) this.release(this.prefixes?.evict() ?? unreachable());
    return this.#free.splice(this.#free.length - pages);
  }

  release(page: number): void {
    this.#free.push(page);
  }

  /**
   * Holds pages of the beginning of `ids`. At least the last token is left to run: it predicts the next id.
   * @param length tokens of `ids`
   * @param most pages
   */
  reusable(key: string, ids: Int32Array, length: number, most: number): CachedPage[] {
    const pages = Math.min(most, Math.floor((length - 1) / this.pageTokens));
    return this.prefixes?.hold(key, ids, pages) ?? [];
  }

  get #freePages(): number {
    return this.#free.length + (this.prefixes ? this.prefixes.idlePages : 0);
  }
}

function unreachable(): never {
  throw new Error('the KV pool has lost count of its pages');
}
