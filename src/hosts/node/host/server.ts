/** Serves the app on Node and stops it in good order. */
import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import { SettingsError } from '../../settings.ts';

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
    server.once('error', (error: NodeJS.ErrnoException) => reject(refusalOf(error, port, hostname)));
  });
}

/** What whoever starts the server can do about an address that cannot be had. */
function refusalOf(error: NodeJS.ErrnoException, port: number, hostname: string): Error {
  const sentences: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} of ${hostname} is in use: set PORT to another one.`,
    EACCES: `Port ${port} of ${hostname} is not allowed for this user: set PORT to another one, such as 8787.`,
    EADDRNOTAVAIL: `Setting HOST is ${hostname}, which is no address of this machine.`,
    ENOTFOUND: `Setting HOST is ${hostname}, which is no address of this machine.`,
  };
  const sentence = sentences[error.code ?? ''];
  return sentence === undefined ? error : new SettingsError(sentence);
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
