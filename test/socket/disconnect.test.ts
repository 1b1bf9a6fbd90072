import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { SILENT } from '../support/engines/fake-engine.ts';
import { RawClient } from '../support/hosts/raw-client.ts';
import { HOSTS, type SocketHost } from '../support/hosts/socket-hosts.ts';

/** Steps that may still run: the one under way, and those while the close travels on a busy machine. */
const FEW = 3;
/** Steps per block of the fake engine: one a token. */
const BLOCK = 4;
const MAX_TOKENS = 2000;

describe.each(HOSTS)('on %s, a client that', (_name, start) => {
  let host: SocketHost;
  beforeAll(async () => {
    host = await start();
    await fetch(new URL('/health', host.url)).then((response) => response.text());
  });
  afterAll(() => host?.stop());

  const steps = async () => Number(await (await fetch(new URL('/test/steps', host.url))).text());
  const health = async () =>
    (await fetch(new URL('/health', host.url))).json() as Promise<{ kv_tokens: { free: number; total: number } }>;

  async function expectAllFree(): Promise<void> {
    await vi.waitFor(
      async () => {
        const { kv_tokens } = await health();
        expect(kv_tokens.free).toBe(kv_tokens.total);
      },
      { timeout: 5000, interval: 20 },
    );
  }

  async function expectHeld(): Promise<void> {
    const { kv_tokens } = await health();
    expect(kv_tokens.free).toBeLessThanOrEqual(kv_tokens.total - MAX_TOKENS);
  }

  test.each([
    ['resets', FEW],
    // Until the next write shows otherwise, a closed socket may be one whose client only has nothing more to send.
    ['closes', 2 * BLOCK + FEW],
  ] as const)('%s in the middle of a stream: the computation stops, the cache is free again', async (how, few) => {
    const before = await steps();
    const client = await RawClient.post(host.url, { prompt: 'abc', max_tokens: MAX_TOKENS, stream: true });
    await client.until(/" 8 9 10 11"/);
    await expectHeld();
    const atClose = await steps();
    if (how === 'resets') client.reset();
    else client.close();
    await expectAllFree();
    const after = await steps();
    expect(after - atClose).toBeLessThanOrEqual(few);
    expect(after - before).toBeGreaterThanOrEqual(12);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await steps()).toBe(after);
  });

  test.each([
    ['a stream', true],
    ['one body', false],
  ])('resets before the first byte of %s', async (_kind, stream) => {
    const before = await steps();
    const client = await RawClient.post(host.url, { prompt: SILENT, max_tokens: MAX_TOKENS, stream });
    await vi.waitFor(async () => expect(await steps()).toBeGreaterThan(before + 4), { timeout: 5000, interval: 20 });
    await expectHeld();
    expect(client.received).toBe('');
    const atClose = await steps();
    client.reset();
    await expectAllFree();
    const after = await steps();
    expect(after - atClose).toBeLessThanOrEqual(FEW);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await steps()).toBe(after);
  });

  test('vanishes beside one that stays: only its own computation stops', async () => {
    const [stays, goes] = await Promise.all([
      RawClient.post(host.url, { prompt: 'abc', max_tokens: 40, stream: true }),
      RawClient.post(host.url, { prompt: 'abc', max_tokens: MAX_TOKENS, stream: true }),
    ]);
    await goes.until(/" 0 1 2 3"/);
    goes.reset();
    await stays.until(/\[DONE\]/);
    expect(stays.received).toContain(' 36 37 38 39');
    stays.close();
    await expectAllFree();
  });
});
