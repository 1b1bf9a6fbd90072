/** Requests that wait for room, on each runtime: workerd keeps the requests of one isolate apart. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RawClient } from '../support/hosts/raw-client.ts';
import { HOSTS, type SocketHost } from '../support/hosts/socket-hosts.ts';

/** Two of these fit the fake engine's room, and no third. */
const LARGE = 1900;

describe.each(HOSTS)('on %s, a request that finds no room', (_name, start) => {
  let host: SocketHost;
  beforeAll(async () => {
    host = await start();
    await fetch(new URL('/health', host.url)).then((response) => response.text());
  });
  afterAll(() => host?.stop());

  const queue = async () =>
    (await fetch(new URL('/test/queue', host.url))).json() as Promise<{ running: number; waiting: number }>;
  const until = (running: number, waiting: number) =>
    vi.waitFor(async () => expect(await queue()).toEqual({ running, waiting }), { timeout: 5000, interval: 20 });
  const post = (max_tokens: number) => RawClient.post(host.url, { prompt: 'abc', max_tokens, stream: true });

  async function fill(): Promise<readonly [RawClient, RawClient]> {
    const holders = [await post(LARGE), await post(LARGE)] as const;
    await Promise.all(holders.map((holder) => holder.until(/" 0 1 2 3"/)));
    return holders;
  }

  test('waits until another request is over, whose end lets it in', async () => {
    const [first, second] = await fill();
    const waits = await post(400);
    await until(2, 1);
    expect(waits.received).toBe('');
    first.reset();
    await waits.until(/" 0 1 2 3"/);
    // What it waited on belonged to another request; it goes on long after that one has ended.
    await waits.until(/" 36 37 38 39"/);
    second.reset();
    await waits.until(/" 60 61 62 63"/);
    waits.reset();
    await until(0, 0);
  });

  test('waits for one that ends by itself', async () => {
    const [short, long] = [await post(60), await post(LARGE)];
    await long.until(/" 0 1 2 3"/);
    const third = await post(LARGE);
    await third.until(/" 0 1 2 3"/);
    const waits = await post(LARGE);
    await until(3, 1);
    await short.until(/\[DONE\]/);
    long.reset();
    await waits.until(/" 0 1 2 3"/);
    for (const client of [short, third, waits]) client.reset();
    await until(0, 0);
  });

  test('leaves the line when its client goes away, and lets the next one through', async () => {
    const holders = await fill();
    const goes = await post(LARGE);
    await until(2, 1);
    const small = await post(20);
    await until(2, 2);
    expect(small.received).toBe('');
    goes.reset();
    await small.until(/\[DONE\]/);
    for (const holder of holders) holder.reset();
    await until(0, 0);
  });
});
