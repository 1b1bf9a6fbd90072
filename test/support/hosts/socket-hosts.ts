/** The fake app behind a real socket, on each runtime that the project serves. */
import { startServer } from '../../../src/hosts/node/host/server.ts';
import { startBareWorkerd } from './bare-workerd.ts';
import { fakeSocketApp } from './fake-socket-app.ts';

export interface SocketHost {
  readonly url: URL;
  stop(): Promise<void>;
}

async function startNode(): Promise<SocketHost> {
  const server = await startServer(fakeSocketApp(), 0, '127.0.0.1');
  return { url: new URL(`http://127.0.0.1:${server.address.port}`), stop: () => server.stop(0) };
}

export const HOSTS = [
  ['workerd', () => startBareWorkerd()],
  ['node', startNode],
] as const;
