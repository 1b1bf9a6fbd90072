import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type FuzzResult, fuzz, fuzzOverSocket } from './fuzz.ts';
import { type TinyService, tinyService } from './tiny-service.ts';

/** `npm run bench -- abuse` has 20,000. */
const BODIES = 1200;
const OVER_SOCKETS = 200;
/** Of CPU time, with a dozen others in turns: by the clock, a busy machine takes ten times that. */
const LONGEST_CPU_MS = 5000;
const NOTHING = { kv_tokens: 0, running: 0, waiting: 0, calls: 0 };

describe('spoiled bodies for every POST route', () => {
  let service: TinyService;
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  beforeAll(async () => {
    service = await tinyService();
  });
  afterAll(() => vi.restoreAllMocks());

  function expectSound({ broken, held, statuses, slowestCpuMs, slowest, routes }: FuzzResult): void {
    expect(broken.slice(0, 10)).toEqual([]);
    expect(log.mock.calls.slice(0, 3)).toEqual([]);
    expect(held).toEqual(NOTHING);
    expect(routes).toBeGreaterThanOrEqual(8);
    // Bodies that are all refused, or all served, would test nothing.
    expect(statuses[200]).toBeGreaterThan(10);
    expect(statuses[400]).toBeGreaterThan(50);
    expect(slowestCpuMs, slowest).toBeLessThan(LONGEST_CPU_MS);
  }

  test(`${BODIES} in the process: no 5xx, errors in OpenAI's form that name a field, nothing held`, async () => {
    expectSound(await fuzz(service, BODIES));
  });

  test(`${OVER_SOCKETS} over a socket`, async () => {
    expectSound(await fuzzOverSocket(service, OVER_SOCKETS, 1_000_000));
  });
});
