/** A server that is killed in the middle of a stream, and started again on the same port. */
import type { ProcessHost } from '../support/hosts/bare-workerd.ts';
import { RawClient } from '../support/hosts/raw-client.ts';

export interface Killed {
  /** The client saw the connection end. */
  readonly cut: boolean;
  /** Of the stream that was cut. */
  readonly messagesBefore: number;
  readonly saidDone: boolean;
  readonly samePort: boolean;
  /** A new stream, from the new server, came to its end. */
  readonly served: boolean;
  /** What the new server holds after it. */
  readonly heldTokens: number;
}

const LONG = { prompt: 'abc', max_tokens: 3000, stream: true, logit_bias: {} };

/** @param start on a port, 0 for any */
export async function killAndRestart(start: (port: number) => Promise<ProcessHost>, body: object): Promise<Killed> {
  const first = await start(0);
  const client = await RawClient.post(first.url, { ...LONG, ...body });
  await client.until(/data: [\s\S]*data: /);
  await first.kill();
  await client.end();
  const { received } = client;
  const second = await start(Number(first.url.port));
  try {
    const next = await RawClient.post(second.url, { ...LONG, ...body, max_tokens: 8 });
    await next.until(/\[DONE\]/);
    next.close();
    const health = await (await fetch(new URL('/health', second.url))).json();
    const { free, total } = (health as { kv_tokens: { free: number; total: number } }).kv_tokens;
    return {
      cut: client.ended,
      messagesBefore: received.split('data: ').length - 1,
      saidDone: received.includes('[DONE]'),
      samePort: second.url.port === first.url.port,
      served: next.received.startsWith('HTTP/1.1 200'),
      heldTokens: total - free,
    };
  } finally {
    await second.stop();
  }
}
