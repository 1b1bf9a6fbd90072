/** Kept files in a browser's Cache Storage, for a page or a worker. */
import type { FileStore } from './stored.ts';

/**
 * @param cache e.g. `await caches.open('seedling-weights')`
 * @param key a file's URL in the cache: one for each model and version
 */
export function cacheStore(cache: Pick<Cache, 'match' | 'put' | 'delete'>, key: (file: string) => string): FileStore {
  return {
    async read(file) {
      return (await cache.match(key(file)))?.body ?? null;
    },
    async create(file) {
      const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
      const writer = writable.getWriter();
      const stored = cache.put(key(file), new Response(readable));
      // The next write sees a failure, or `keep` does.
      stored.catch(() => {});
      writer.closed.catch(() => {});
      /** The cache knows the reason of a failure. The stream only knows that it was closed. */
      const explained = async (writing: Promise<void>) => {
        await Promise.race([writing, stored]).catch(async (error) => {
          await stored;
          throw error;
        });
      };
      return {
        // A copy, since the consumer detaches the chunk's buffer while the cache may still be reading it.
        write: (chunk) => explained(writer.write(chunk.slice())),
        async keep() {
          await explained(writer.close());
          await stored;
        },
        async drop() {
          await writer.abort().catch(() => {});
          await stored.catch(() => {});
          await cache.delete(key(file));
        },
      };
    },
    async remove(file) {
      await cache.delete(key(file));
    },
  };
}
