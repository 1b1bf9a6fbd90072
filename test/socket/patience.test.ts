/** Silent streams and silent clients over real sockets, on each runtime. */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startServer } from '../../src/hosts/node/host/server.ts';
import { LOUD, SILENT } from '../support/engines/fake-engine.ts';
import { startBareWorkerd } from '../support/hosts/bare-workerd.ts';
import { hastyService } from '../support/hosts/hasty-service.ts';
import { RawClient } from '../support/hosts/raw-client.ts';
import type { SocketHost } from '../support/hosts/socket-hosts.ts';

const cut = (c: Context<{ Bindings: HttpBindings }>) => c.env.outgoing.destroy();

async function startNode(): Promise<SocketHost> {
  const server = await startServer(hastyService(cut), 0, '127.0.0.1');
  return { url: new URL(`http://127.0.0.1:${server.address.port}`), stop: () => server.stop(0) };
}

describe.each([
  ['workerd', () => startBareWorkerd('hasty-worker.ts')],
  ['node', startNode],
] as const)('on %s', (name, start) => {
  let host: SocketHost;
  beforeAll(async () => {
    host = await start();
    await fetch(new URL('/health', host.url)).then((response) => response.text());
  });
  afterAll(() => host?.stop());

  const state = async () =>
    (await fetch(new URL('/test/state', host.url))).json() as Promise<{
      steps: number;
      allFree: boolean;
      endings: (string | null)[];
    }>;
  const post = (body: object) => RawClient.post(host.url, { max_tokens: 4000, stream: true, ...body });

  async function expectEnding(count: number, ending: string): Promise<void> {
    await vi.waitFor(
      async () => {
        const { allFree, endings } = await state();
        expect([allFree, endings.length]).toEqual([true, count]);
        expect(endings.at(-1)).toBe(ending);
      },
      { timeout: 20_000, interval: 50 },
    );
    const { steps } = await state();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await state()).steps).toBe(steps);
  }

  test('a silent stream sends comments, and so notices a client that has gone without a reset', async () => {
    const client = await post({ prompt: SILENT });
    await client.until(/: keep-alive\n\n[\s\S]*: keep-alive\n\n/);
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(client.received).not.toContain('data:');
    client.close();
    await expectEnding(1, 'client_gone');
  });

  test('a reader that takes nothing holds up the computation, is dropped, and its room is free', async () => {
    const client = await post({ prompt: LOUD });
    await client.until(/####/);
    client.stopReading();
    await expectEnding(2, 'stalled');
    // All of it would have been 4,000.
    expect((await state()).steps).toBeLessThan(3500);
    client.readOn();
    // A Worker cannot cut a connection; its stream only ends.
    if (name === 'node') await vi.waitFor(() => expect(client.closed).toBe(true), { timeout: 5000 });
    else client.close();
    expect(client.received).not.toContain('[DONE]');
  });

  test('one that reads on gets all of it', async () => {
    const client = await post({ prompt: LOUD, max_tokens: 400 });
    await client.until(/\[DONE\]/);
    expect(client.received.split('#').length - 1).toBe(100 * 64 * 1024);
    client.close();
    await vi.waitFor(async () => expect((await state()).endings).toEqual(['client_gone', 'stalled', null]));
  });
});
