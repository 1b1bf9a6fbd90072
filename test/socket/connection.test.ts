/** C8: a client that asks for an end of the connection gets it, on Node; streams end as HTTP/1.0 clients read them. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NodeServer, startServer } from '../../src/hosts/node/host/server.ts';
import { fakeSocketApp } from '../support/hosts/fake-socket-app.ts';

let server: NodeServer;
beforeAll(async () => {
  server = await startServer(fakeSocketApp(), 0, '127.0.0.1');
});
afterAll(() => server.stop(0));

interface Exchange {
  readonly head: string;
  readonly body: string;
  /** Milliseconds from the last byte to the end of the connection; null where it stays open for a second. */
  readonly endedAfter: number | null;
}

async function exchange(version: string, headers: string, stream: boolean): Promise<Exchange> {
  const socket = connect(server.address.port, '127.0.0.1');
  await once(socket, 'connect');
  const body = JSON.stringify({ prompt: 'x', max_tokens: 8, stream });
  const length = Buffer.byteLength(body);
  socket.write(
    `POST /v1/completions HTTP/${version}\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${headers}\r\n${body}`,
  );
  let received = '';
  let last = performance.now();
  socket.setEncoding('utf8').on('data', (part: string) => {
    received += part;
    last = performance.now();
  });
  const ended = once(socket, 'end').then(() => performance.now());
  const whole = stream ? /\[DONE\]/ : /"usage":/;
  while (!whole.test(received)) await new Promise((resolve) => setTimeout(resolve, 10));
  const open = new Promise<null>((resolve) => setTimeout(resolve, 1000, null));
  const end = await Promise.race([ended, open]);
  socket.destroy();
  const at = received.indexOf('\r\n\r\n');
  return { head: received.slice(0, at), body: received.slice(at + 4), endedAfter: end === null ? null : end - last };
}

describe.each([true, false])('stream: %s', (stream) => {
  test.each([
    ['1.1', 'connection: close\r\n', true],
    ['1.1', 'Connection: Close\r\n', true],
    ['1.1', 'connection: close, x-other\r\nx-other: 1\r\n', true],
    ['1.0', '', true],
    ['1.0', 'connection: close\r\n', true],
    ['1.1', '', false],
    ['1.1', 'connection: keep-alive\r\n', false],
  ] as const)('HTTP/%s, %j', async (version, headers, closes) => {
    const { head, body, endedAfter } = await exchange(version, headers, stream);
    if (closes) {
      expect(head).toMatch(/^connection: close$/im);
      expect(endedAfter).not.toBeNull();
      expect(endedAfter!).toBeLessThan(500);
    } else {
      expect(head).not.toMatch(/^connection: close$/im);
      expect(endedAfter).toBeNull();
    }
    // An HTTP/1.0 client knows no chunks.
    if (version === '1.0') expect(head).not.toMatch(/^transfer-encoding:/im);
    if (version === '1.0' && stream) expect(body.startsWith('data: ')).toBe(true);
  });
});
