/** Short requests whose clients go away at any moment, in this process and over sockets. */
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startServer } from '../../src/hosts/node/host/server.ts';
import { Draws } from './draws.ts';
import { type ListenerWatch, watchAbortListeners } from './listeners.ts';
import { type ShortRequest, shortRequest } from './short-requests.ts';
import { type Held, settled, type TinyService } from './tiny-service.ts';

/** More than run at once, so that some are cancelled in the queue; fewer than may wait. */
const CLIENTS = 24;

export interface Storm {
  readonly requests: number;
  /** Answered to the end. */
  readonly completed: number;
  /** Whose client went away before. */
  readonly cancelled: number;
  /** Statuses other than 200 of those who waited for their answer. */
  readonly refused: Readonly<Record<string, number>>;
  readonly held: Held;
  /** On abort signals. */
  readonly listeners: number;
  readonly seconds: number;
}

type Outcome = 'completed' | 'cancelled' | number;

/** A moment between now and a few forwards later. */
async function aMoment(draws: Draws): Promise<void> {
  if (draws.chance(0.3)) return;
  if (draws.chance(0.5)) return new Promise((resolve) => setTimeout(resolve, draws.below(12)));
  for (let turns = draws.below(8); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
}

/** @returns how it ended */
async function ask(service: TinyService, draws: Draws, listeners: ListenerWatch): Promise<Outcome> {
  const { path, body } = shortRequest(draws);
  const client = new AbortController();
  listeners.exempt(client.signal);
  const leaves = draws.one(['never', 'never', 'before', 'anytime', 'while reading'] as const);
  if (leaves === 'before') client.abort();
  const leaving = leaves === 'anytime' ? aMoment(draws).then(() => client.abort()) : null;
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: client.signal,
  };
  try {
    const response = await service.app.request(path, init);
    if (leaves === 'while reading' && response.body) {
      const reader = response.body.getReader();
      for (let chunks = draws.below(4); chunks > 0; chunks--) await reader.read();
      await reader.cancel();
      return 'cancelled';
    }
    await response.text();
    if (client.signal.aborted) return 'cancelled';
    return response.status === 200 ? 'completed' : response.status;
  } catch (error) {
    if (client.signal.aborted) return 'cancelled';
    throw error;
  } finally {
    await leaving;
  }
}

/** The same over a socket that is cut. */
async function askOverSocket(address: AddressInfo, draws: Draws): Promise<Outcome> {
  const { path, body }: ShortRequest = shortRequest(draws);
  const request = httpRequest({
    port: address.port,
    host: address.address,
    path,
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  let left = false;
  request.on('error', () => {});
  const leave = () => {
    left = true;
    request.destroy();
  };
  const closed = new Promise((resolve) => request.on('close', resolve));
  const leaves = draws.one(['never', 'never', 'anytime', 'while reading'] as const);
  let status = 0;
  let whole = false;
  request.on('response', (response) => {
    status = response.statusCode ?? 0;
    let parts = draws.below(4);
    response.on('data', () => {
      if (leaves === 'while reading' && parts-- === 0) leave();
    });
    response.on('end', () => {
      whole = true;
    });
    response.on('error', () => {});
  });
  request.end(JSON.stringify(body));
  if (leaves === 'anytime') void aMoment(draws).then(leave);
  await closed;
  if (whole && status === 200) return 'completed';
  if (left) return 'cancelled';
  return whole ? status : 0;
}

async function storm(
  service: TinyService,
  requests: number,
  one: (draws: Draws, listeners: ListenerWatch) => Promise<Outcome>,
  seed: number,
): Promise<Storm> {
  const listeners = watchAbortListeners();
  const start = performance.now();
  const outcomes: Outcome[] = [];
  let next = 0;
  try {
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        while (next < requests) outcomes.push(await one(new Draws(seed + next++), listeners));
      }),
    );
    const held = await settled(service);
    const refused: Record<string, number> = {};
    for (const outcome of outcomes) {
      if (typeof outcome === 'number') refused[outcome] = (refused[outcome] ?? 0) + 1;
    }
    return {
      requests: outcomes.length,
      completed: outcomes.filter((outcome) => outcome === 'completed').length,
      cancelled: outcomes.filter((outcome) => outcome === 'cancelled').length,
      refused,
      held,
      listeners: listeners.open(),
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    listeners.stop();
  }
}

export function cancelStorm(service: TinyService, requests: number, seed = 1): Promise<Storm> {
  return storm(service, requests, (draws, listeners) => ask(service, draws, listeners), seed);
}

const openSockets = () => process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length;

/** @returns with the sockets that this process has open at the end and had not at the start */
export async function socketStorm(
  service: TinyService,
  requests: number,
  seed = 1,
): Promise<Storm & { readonly sockets: number }> {
  const before = openSockets();
  const server = await startServer(service.app, 0, '127.0.0.1');
  const result = await storm(service, requests, (draws) => askOverSocket(server.address, draws), seed);
  await server.stop(5000);
  const end = performance.now() + 5000;
  while (openSockets() > before && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  return { ...result, sockets: openSockets() - before };
}
