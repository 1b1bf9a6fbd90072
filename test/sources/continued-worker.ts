/** The worker of the Chromium test: reads a file through its part in OPFS, and tells what it sees. */
import { continued } from '../../src/sources/continued.ts';
import { type Directory, opfsPartials } from '../../src/sources/opfs-partials.ts';
import { transfer } from '../../src/sources/resumable.ts';

export interface Seen {
  /** Bytes that were there. */
  readonly found: number;
  readonly read: number;
  /** Hexadecimal, at the end. */
  readonly sha256?: string;
  readonly failure?: string;
  readonly warnings: readonly string[];
  /** Names of parts, at the end. */
  readonly left?: readonly string[];
}

globalThis.onmessage = async ({ data: url }: MessageEvent<string>) => {
  const directory = await (await navigator.storage.getDirectory()).getDirectoryHandle('parts', { create: true });
  const warnings: string[] = [];
  let [found, read] = [0, 0];
  const tell = (more: Partial<Seen> = {}) => postMessage({ found, read, warnings, ...more } satisfies Seen);
  const names = async () => {
    const all: string[] = [];
    for await (const name of (directory as unknown as { keys(): AsyncIterable<string> }).keys()) all.push(name);
    return all;
  };
  try {
    const stream = await continued(
      opfsPartials(directory as unknown as Directory),
      'shard',
      (from) => transfer(url, 'shard', { patience: { retries: 0 } }, from),
      (bytes) => {
        found = bytes;
      },
      (sentence) => warnings.push(sentence),
    );
    const all: Uint8Array[] = [];
    const reader = stream.getReader({ mode: 'byob' });
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(50_000));
      if (done) break;
      read += value.length;
      all.push(value);
      tell();
    }
    const digest = await crypto.subtle.digest('SHA-256', await new Blob(all as BlobPart[]).arrayBuffer());
    tell({
      sha256: Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(''),
      left: await names(),
    });
  } catch (error) {
    tell({ failure: String(error), left: await names() });
  }
};
