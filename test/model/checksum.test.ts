/** Checksums of shards are the same where the platform has no `crypto.subtle`, as in a page over plain HTTP (C10). */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { requireSha256 } from '../../src/model/weights.ts';

afterEach(() => vi.unstubAllGlobals());

function bytesOf(length: number, shared = false): Uint8Array<ArrayBuffer> {
  const buffer = shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length);
  const bytes = new Uint8Array(buffer as ArrayBuffer);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

describe.each([
  ['with crypto.subtle', crypto],
  ['without', { getRandomValues: crypto.getRandomValues }],
])('%s', (_name, platform) => {
  test.each([
    [0, false],
    [1, false],
    [55, false],
    [56, false],
    [64, false],
    [1 << 20, false],
    [1000, true],
  ])('%i bytes, shared: %s', async (length, shared) => {
    vi.stubGlobal('crypto', platform);
    const bytes = bytesOf(length, shared);
    const sum = createHash('sha256').update(bytes).digest('hex');
    await requireSha256(bytes, 'a.bin', sum);
    const wrong = sum.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    await expect(requireSha256(bytes, 'a.bin', wrong)).rejects.toThrow(`weight shard a.bin is corrupt: sha256 ${sum}`);
  });
});
