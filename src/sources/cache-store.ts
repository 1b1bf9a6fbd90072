/** Kept files in the Cache Storage of a browser: a page or a worker. */
import { fileUrl } from './http.ts';
import type { FileStore } from './stored.ts';

/**
 * @param cache e.g. `await caches.open('seedling-weights')`
 * @param baseUrl of the model: files of different models stay apart
 */
export function cacheStore(cache: Pick<Cache, 'match' | 'put' | 'delete'>, baseUrl: string): FileStore {
  const key = (file: string) => fileUrl(baseUrl, file);
  return {
    async read(file) {
      return (await cache.match(key(file)))?.body ?? null;
    },
    async create(file) {
      const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
      const writer = writable.getWriter();
      const stored = cache.put(key(file), new Response(readable));
      // Seen by the next write, or by `keep`.
      stored.catch(() => {});
      writer.closed.catch(() => {});
      /** What the cache says about a failure is the reason; the stream only knows that it was closed. */
      const explained = async (writing: Promise<void>) => {
        await Promise.race([writing, stored]).catch(async (error) => {
          await stored;
          throw error;
        });
      };
      return {
        // A copy: the consumer detaches the chunk's buffer while the cache may still be reading.
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
