/** Answers a shard from a given byte on, for clients that continue a transfer (RFC 9110, sections 13.1.5 and 14). */
import { z } from '@hono/zod-openapi';

/** The part of a manifest that is used. */
const manifestSchema = z.looseObject({
  shards: z.array(z.looseObject({ file: z.string(), bytes: z.int(), sha256: z.string() })),
});

export interface Shard {
  readonly bytes: number;
  /** Of its content, so that a client can say which version it has a part of. */
  readonly etag: string;
}

/** What the manifest says of a file; null where it says nothing, or is none. */
export function findShard(manifest: string, file: string): Shard | null {
  let json: unknown;
  try {
    json = JSON.parse(manifest);
  } catch {
    return null;
  }
  const shard = manifestSchema.safeParse(json).data?.shards.find((entry) => entry.file === file);
  return shard ? { bytes: shard.bytes, etag: `"${shard.sha256}"` } : null;
}

/** The byte that an answer has to begin with: 0 for any range but an open one, and for a part of another version. */
export function firstByte(range: string | undefined, ifRange: string | undefined, { etag }: Shard): number {
  if (ifRange !== undefined && ifRange !== etag) return 0;
  const [, first = '0'] = /^bytes=(\d{1,15})-$/.exec(range ?? '') ?? [];
  return Number(first);
}

/** Sources only read from the beginning; what is skipped costs a disk, not the network. */
export function skipBytes(stream: ReadableStream<Uint8Array>, bytes: number): ReadableStream<Uint8Array> {
  let left = bytes;
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const skipped = Math.min(left, chunk.length);
        left -= skipped;
        if (skipped < chunk.length) controller.enqueue(chunk.subarray(skipped));
      },
    }),
  );
}
