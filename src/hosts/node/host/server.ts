/** Serves the app on Node and stops it in good order. */
import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';

/** A Hono app of any environment. */
export type Served = Pick<Parameters<typeof serve>[0], 'fetch'>;

export interface NodeServer {
  readonly address: AddressInfo;
  /** Takes no new connections. Lets running answers finish for `graceMs`, then cuts them. */
  stop(graceMs: number): Promise<void>;
}

export function startServer(app: Served, port: number, hostname: string): Promise<NodeServer> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, port, hostname }, (address) => {
      resolve({ address, stop: (graceMs) => stop(server, graceMs) });
    });
    server.once('error', reject);
  });
}

const SWEEP_MS = 100;

function stop(server: ServerType, graceMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const cut = setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), graceMs);
    // An idle keep-alive connection would delay the close until its own timeout.
    const sweep = setInterval(() => 'closeIdleConnections' in server && server.closeIdleConnections(), SWEEP_MS);
    server.close((error) => {
      clearTimeout(cut);
      clearInterval(sweep);
      if (error) reject(error);
      else resolve();
    });
  });
}
