import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ProcessHost, startBareWorkerd } from '../support/hosts/bare-workerd.ts';
import { startNodeProcess } from '../support/hosts/node-process.ts';
import { slowReaders } from './slow-readers.ts';

/** `npm run bench -- abuse` has 50. */
const READERS = 8;
/** As long as the readers are waited for. */
const PATIENCE_MS = 120_000;
/** A fraction of what they were sent in vain, and of what 50 of them would get. */
const MOST_MIB = 200;

describe.each([
  ['node', () => startNodeProcess('flood-node.ts')],
  ['workerd', () => startBareWorkerd('flood-worker.ts')],
] as const)('on %s', (_name, start) => {
  let host: ProcessHost;
  beforeAll(async () => {
    host = await start();
  });
  afterAll(() => host?.stop());

  test(
    `${READERS} readers that take a byte a second or nothing are dropped, and others served meanwhile`,
    async () => {
      const result = await slowReaders(host, READERS);
      expect(result.together).toBe(READERS);
      expect(result.fast).toBeGreaterThan(0);
      expect(result.served).toBe(result.fast);
      expect(result.dropped).toBe(READERS);
      expect(result.memoryMib).toBeLessThan(MOST_MIB);
      const { running, waiting, freeTokens, totalTokens, calls } = result.left;
      expect([running, waiting, totalTokens - freeTokens, calls]).toEqual([0, 0, 0, 0]);
    },
    PATIENCE_MS,
  );
});
