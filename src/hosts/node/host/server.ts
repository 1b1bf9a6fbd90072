/** Serves the app on Node and stops it in good order. */
import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import { readSettings, SettingsError } from '../../settings.ts';

/** A Hono app of any environment. */
export type Served = Pick<Parameters<typeof serve>[0], 'fetch'>;

export interface NodeServer {
  readonly address: AddressInfo;
  /** Takes no new connections. Lets running answers finish for `graceMs`, then cuts them. */
  stop(graceMs: number): Promise<void>;
}

/** Longest time for a request's headers, in seconds. */
const HEADER_SECONDS = 30;
/** How long a connection waits for its next request, in seconds. */
const IDLE_SECONDS = 5;
/** The app answers a late body itself. Node only ends what the app does not see, so much later. */
const APP_ANSWERS_MS = 2000;
/** How often Node looks for connections that are late. */
const CHECK_MS = 500;
/** Connections at once at most. Node closes the next one. */
const MOST_CONNECTIONS = 4096;

/** @param requestSeconds longest time for a whole request to arrive, the headers included */
export function startServer(
  app: Served,
  port: number,
  hostname: string,
  requestSeconds = readSettings({}).patience.requestSeconds,
): Promise<NodeServer> {
  const serverOptions = {
    headersTimeout: Math.min(requestSeconds, HEADER_SECONDS) * 1000,
    requestTimeout: requestSeconds * 1000 + APP_ANSWERS_MS,
    keepAliveTimeout: IDLE_SECONDS * 1000,
    connectionsCheckingInterval: CHECK_MS,
  };
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, port, hostname, serverOptions }, (address) => {
      resolve({ address, stop: (graceMs) => stop(server, graceMs) });
    });
    server.maxConnections = MOST_CONNECTIONS;
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
