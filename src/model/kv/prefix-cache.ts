/**
 * Committed KV pages that outlive their request, as a tree: the child of a page holds the tokens that follow. A page
 * is found by a chained hash of the token prefix, and served only if the ids themselves are equal. The pages stay in
 * the pool.
 */

export interface CachedPage {
  /** Address of the KV. */
  readonly page: number;
  /** The page of the tokens before; null for the first. */
  readonly parent: CachedPage | null;
  /** Who may read it: see `CachePrefix.key`. */
  readonly key: string;
  readonly ids: Int32Array; // (pageTokens)
  /** Hash of all ids from the beginning of the sequence to the end of this page. */
  readonly hash: number;
  /** Requests that hold it. Whoever holds a page holds its parent too. */
  readers: number;
}

/** Hash of a prefix that ends in `ids`, from the hash of the ids before them. */
export type PrefixHash = (before: number, ids: ArrayLike<number>) => number;

export class PrefixCache {
  readonly #pageTokens: number;
  readonly #hash: PrefixHash;
  readonly #byHash = new Map<number, CachedPage>();
  /**
   * Pages that no request holds, least recently used first. Pages are released deepest first, and a page gets children
   * only while it is held. So a child always stands before its parent, and the first page of the set is a leaf.
   */
  readonly #idle = new Set<CachedPage>();

  constructor(pageTokens: number, hash: PrefixHash = fnv1a) {
    this.#pageTokens = pageTokens;
    this.#hash = hash;
  }

  /** Pages in the cache, held ones included. */
  get pages(): number {
    return this.#byHash.size;
  }

  /** Pages that `evict` can give. */
  get idlePages(): number {
    return this.#idle.size;
  }

  /** Holds the longest run of cached pages that `ids` begins with, at most `most` of them, first page first. */
  hold(key: string, ids: Int32Array, most: number): CachedPage[] {
    const chain: CachedPage[] = [];
    while (chain.length < most) {
      const own = ids.subarray(chain.length * this.#pageTokens, (chain.length + 1) * this.#pageTokens);
      if (own.length < this.#pageTokens) break;
      const parent = chain.at(-1) ?? null;
      const found = this.#byHash.get(this.#hashOf(key, parent, own));
      if (!found || !isSame(found, key, parent, own)) break;
      this.#hold(found);
      chain.push(found);
    }
    return chain;
  }

  /**
   * Offers a page of final KV and holds it.
   * @param parent held by the caller
   * @param ids (pageTokens) kept
   * @returns the page of this prefix: the offered one, or one that was there before (then the caller keeps the offered
   *   one); null where another prefix has the same hash
   */
  add(key: string, parent: CachedPage | null, ids: Int32Array, page: number): CachedPage | null {
    const hash = this.#hashOf(key, parent, ids);
    const there = this.#byHash.get(hash);
    if (there) {
      if (!isSame(there, key, parent, ids)) return null;
      this.#hold(there);
      return there;
    }
    const added = { page, parent, key, ids, hash, readers: 1 };
    this.#byHash.set(hash, added);
    return added;
  }

  /** Ends a hold. @param chain first page first */
  release(chain: readonly CachedPage[]): void {
    for (let i = chain.length - 1; i >= 0; i--) {
      const page = chain[i]!;
      if (--page.readers === 0) this.#idle.add(page);
    }
  }

  /** Forgets the least recently used page without children. @returns its address, or null when all pages are held */
  evict(): number | null {
    for (const leaf of this.#idle) {
      this.#idle.delete(leaf);
      this.#byHash.delete(leaf.hash);
      return leaf.page;
    }
    return null;
  }

  #hold(page: CachedPage): void {
    page.readers += 1;
    this.#idle.delete(page);
  }

  #hashOf(key: string, parent: CachedPage | null, ids: Int32Array): number {
    return this.#hash(parent ? parent.hash : this.#hash(0, new TextEncoder().encode(key)), ids);
  }
}

/** By induction over parents, which are compared by identity: every id from the first on is equal. */
function isSame(page: CachedPage, key: string, parent: CachedPage | null, ids: Int32Array): boolean {
  return page.parent === parent && page.key === key && page.ids.every((id, i) => id === ids[i]);
}

/** FNV-1a over the bytes of the ids, 32 bits. */
function fnv1a(before: number, ids: ArrayLike<number>): number {
  let hash = before ^ 0x811c9dc5;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((id >>> shift) & 0xff), 0x01000193);
  }
  return hash;
}
