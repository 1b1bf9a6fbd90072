/** Writes shards from front to back and hashes them on the way. It reads nothing again and holds nothing. */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

export interface ShardEntry {
  readonly file: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** First part of a shard's name: of the base's weights, or of its drafts' adapters. */
export type ShardStem = 'weights' | 'drafts';

function shardFile(stem: ShardStem, shard: number): string {
  return `${stem}-${String(shard).padStart(3, '0')}.bin`;
}

export class ShardWriter {
  readonly #directory: string;
  readonly #stem: ShardStem;
  readonly #entries: ShardEntry[] = [];
  #open: { handle: FileHandle; hash: Hash; bytes: number } | undefined;

  constructor(directory: string, stem: ShardStem) {
    this.#directory = directory;
    this.#stem = stem;
  }

  /** Writes `bytes` at `offset` of `shard`, zeros before it; calls come in ascending order of both. */
  async write(shard: number, offset: number, bytes: Uint8Array): Promise<void> {
    while (this.#entries.length < shard) await this.#finishShard();
    this.#open ??= {
      handle: await open(join(this.#directory, shardFile(this.#stem, shard)), 'w'),
      hash: createHash('sha256'),
      bytes: 0,
    };
    const gap = offset - this.#open.bytes;
    if (this.#entries.length !== shard || gap < 0) throw new Error(`shard ${shard} byte ${offset}: out of order`);
    if (gap > 0) await this.#append(new Uint8Array(gap));
    await this.#append(bytes);
  }

  async finish(): Promise<readonly ShardEntry[]> {
    if (this.#open !== undefined) await this.#finishShard();
    return this.#entries;
  }

  /** Lets go of the open file after a failure. */
  async abort(): Promise<void> {
    await this.#open?.handle.close();
    this.#open = undefined;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const shard = this.#open!;
    shard.hash.update(bytes);
    for (let done = 0; done < bytes.byteLength; ) {
      done += (await shard.handle.write(bytes, done, bytes.byteLength - done)).bytesWritten;
    }
    shard.bytes += bytes.byteLength;
  }

  async #finishShard(): Promise<void> {
    const shard = this.#open;
    if (shard === undefined) throw new Error(`shard ${this.#entries.length} is empty`);
    await shard.handle.close();
    this.#open = undefined;
    this.#entries.push({
      file: shardFile(this.#stem, this.#entries.length),
      bytes: shard.bytes,
      sha256: shard.hash.digest('hex'),
    });
  }
}
