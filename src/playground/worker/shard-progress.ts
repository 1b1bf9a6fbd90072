/** How many bytes of a model's shards are here, summed over the shards. */
import type { LoadProgress } from '../shared/protocol.ts';

interface Count {
  loaded: number;
  /** Of them, bytes that were in the browser already. */
  cached: number;
}

export class ShardProgress {
  readonly #counts: ReadonlyMap<string, Count>;
  readonly #total: number;
  readonly #report: (progress: LoadProgress) => void;

  /** @param report called at once, and after every change */
  constructor(
    shards: readonly { readonly file: string; readonly bytes: number }[],
    report: (progress: LoadProgress) => void,
  ) {
    this.#counts = new Map(shards.map(({ file }) => [file, { loaded: 0, cached: 0 }]));
    this.#total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#report = report;
    this.#tell();
  }

  /** Bytes that were in the browser already. */
  found(file: string, bytes: number): void {
    this.#counts.get(file)!.cached += bytes;
    this.arrived(file, bytes);
  }

  /** Bytes that came from the server. */
  arrived(file: string, bytes: number): void {
    this.#counts.get(file)!.loaded += bytes;
    this.#tell();
  }

  /** The shard was wrong, and comes again from its first byte. */
  lost(file: string): void {
    Object.assign(this.#counts.get(file)!, { loaded: 0, cached: 0 } satisfies Count);
    this.#tell();
  }

  #tell(): void {
    const counts = [...this.#counts.values()];
    const sum = (part: keyof Count) => counts.reduce((all, count) => all + count[part], 0);
    this.#report({ loaded: sum('loaded'), total: this.#total, cached: sum('cached') });
  }
}
