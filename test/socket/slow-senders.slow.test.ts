/** Clients that send slowly, or leave while they send, over real sockets on each runtime. A request may last one second. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Drain } from '../../src/api/middleware/drain.ts';
import { startServer } from '../../src/hosts/node/host/server.ts';
import { startBareWorkerd } from '../support/hosts/bare-workerd.ts';
import { HURRY, hastyService } from '../support/hosts/hasty-service.ts';
import type { SocketHost } from '../support/hosts/socket-hosts.ts';

async function startNode(): Promise<SocketHost> {
  const server = await startServer(
    hastyService(() => {}, new Drain(), HURRY),
    0,
    '127.0.0.1',
    HURRY,
  );
  return { url: new URL(`http://127.0.0.1:${server.address.port}`), stop: () => server.stop(0) };
}

const HEAD = 'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';

/** Sends the text and then the drops, one every 50 ms; resolves with what came back in three seconds at most. */
async function send({ url }: SocketHost, text: string, drop: string): Promise<string> {
  const socket: Socket = connect(Number(url.port), url.hostname).setEncoding('utf8');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  const drops = setInterval(() => socket.writable && socket.write(drop), 50);
  let received = '';
  const over = once(socket, 'close');
  socket.on('data', (part: string) => {
    received += part;
    socket.end();
  });
  await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 3000))]);
  clearInterval(drops);
  socket.destroy();
  return received;
}

describe.each([
  ['workerd', () => startBareWorkerd('hurried-worker.ts')],
  ['node', startNode],
] as const)('on %s', (_name, start) => {
  let host: SocketHost;
  beforeAll(async () => {
    host = await start();
    await fetch(new URL('/health', host.url)).then((response) => response.text());
  });
  afterAll(() => host?.stop());

  const endings = async () => {
    const response = await fetch(new URL('/test/state', host.url));
    return ((await response.json()) as { endings: (string | null)[] }).endings;
  };

  test.each([
    ['of a known length', `${HEAD}content-length: 5000\r\n\r\n`, ' '],
    ['in chunks', `${HEAD}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
    ['of a length that is refused', `${HEAD}content-length: 2000000\r\n\r\n`, ' '],
  ])('a body %s that comes drop by drop ends at the deadline', async (_what, head, drop) => {
    const before = (await endings()).length;
    const start = performance.now();
    const answer = await send(host, head, drop);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"code":"deadline_exceeded"');
    expect(performance.now() - start).toBeLessThan(3000);
    expect((await endings()).slice(before)).toEqual(['deadline']);
  });

  test.each([
    ['of a known length', `${HEAD}content-length: 5000\r\n\r\n{"prompt":`],
    ['in chunks', `${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"pro\r\n`],
  ])('a client that leaves in a body %s is gone, and nothing has failed', async (_what, text) => {
    const before = (await endings()).length;
    const socket = connect(Number(host.url.port), host.url.hostname);
    await once(socket, 'connect');
    socket.write(text);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.resetAndDestroy();
    await vi.waitFor(async () => expect((await endings()).slice(before)).toEqual(['client_gone']), { timeout: 3000 });
  });
});

// workerd has Cloudflare in front of it, which waits for whole headers.
test('headers that come drop by drop end there too, on Node', async () => {
  const host = await startNode();
  const start = performance.now();
  expect(await send(host, HEAD, 'x: y\r\n')).toMatch(/^HTTP\/1\.1 408 /);
  expect(performance.now() - start).toBeLessThan(3000);
  await host.stop();
});
