/** Thousands of spoiled bodies for every route: what came of each, and whatever must never come. */
import type { AddressInfo } from 'node:net';
import { startServer } from '../../src/hosts/node/host/server.ts';
import { Draws } from './draws.ts';
import { type PostRoute, postRoutes, schemaBody } from './schema-bodies.ts';
import { CONTENT_TYPES, spoilBySchema, spoilBytes } from './spoil.ts';
import { type Held, settled, type TinyService } from './tiny-service.ts';
import { verdictOf } from './verdict.ts';

/** In flight at once: fewer than may run and wait, so that none is refused for that. */
const CLIENTS = 12;

type Kind = 'valid' | 'schema' | 'bytes' | 'content type';

export interface FuzzCase {
  readonly seed: number;
  readonly kind: Kind;
  readonly route: PostRoute;
  readonly contentType: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

export interface FuzzResult {
  readonly bodies: number;
  readonly routes: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** What must never come, with what makes it come again. */
  readonly broken: readonly string[];
  readonly slowestMs: number;
  /** CPU time of the process meanwhile: what it took apart from the wait for a busy machine, its neighbours' share included. */
  readonly slowestCpuMs: number;
  readonly slowest: string;
  readonly held: Held;
  readonly seconds: number;
}

function fuzzCase(routes: readonly PostRoute[], seed: number): FuzzCase {
  const draws = new Draws(seed);
  const route = draws.one(routes);
  const body = schemaBody(route, draws);
  const kind = draws.one<Kind>(['valid', 'schema', 'schema', 'schema', 'bytes', 'bytes', 'content type']);
  const text = kind === 'schema' || draws.chance(0.3) ? spoilBySchema(body, route, draws) : JSON.stringify(body);
  const shared = { seed, kind, route, contentType: 'application/json' };
  if (kind === 'bytes') return { ...shared, body: spoilBytes(text, draws) };
  if (kind === 'content type') return { ...shared, contentType: draws.one(CONTENT_TYPES), body: text };
  return { ...shared, body: kind === 'valid' ? JSON.stringify(body) : text };
}

async function routesOf({ app }: TinyService): Promise<readonly PostRoute[]> {
  return postRoutes(await (await app.request('/openapi.json')).json());
}

type Send = (fuzz: FuzzCase) => Promise<Response>;

function initOf({ body, contentType }: FuzzCase): RequestInit {
  return { method: 'POST', body, headers: { 'content-type': contentType } };
}

async function fuzzThrough(service: TinyService, send: Send, count: number, seed: number): Promise<FuzzResult> {
  const routes = await routesOf(service);
  const statuses: Record<string, number> = {};
  const broken: string[] = [];
  let [slowestMs, slowestCpuMs, slowest] = [0, 0, ''];
  const start = performance.now();
  let next = 0;
  const one = async () => {
    const fuzz = fuzzCase(routes, seed + next++);
    const name = `seed ${fuzz.seed} (${fuzz.kind}) ${fuzz.route.path}`;
    const begin = performance.now();
    const cpu = process.cpuUsage();
    try {
      const response = await send(fuzz);
      const text = await response.text();
      const ms = performance.now() - begin;
      const { user, system } = process.cpuUsage(cpu);
      slowestCpuMs = Math.max(slowestCpuMs, (user + system) / 1000);
      if (ms > slowestMs) [slowestMs, slowest] = [ms, name];
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      const problem = verdictOf(fuzz, response, text);
      if (problem !== null) broken.push(`${name}: ${problem}`);
    } catch (error) {
      broken.push(`${name}: no answer: ${error}`);
    }
  };
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (next < count) await one();
    }),
  );
  const held = await settled(service);
  const seconds = (performance.now() - start) / 1000;
  return { bodies: count, routes: routes.length, statuses, broken, slowestMs, slowestCpuMs, slowest, held, seconds };
}

export function fuzz(service: TinyService, count: number, seed = 1): Promise<FuzzResult> {
  const send: Send = async (fuzz) => service.app.request(fuzz.route.path, initOf(fuzz));
  return fuzzThrough(service, send, count, seed);
}

export async function fuzzOverSocket(service: TinyService, count: number, seed = 1): Promise<FuzzResult> {
  const server = await startServer(service.app, 0, '127.0.0.1');
  const { address, port }: AddressInfo = server.address;
  try {
    const send: Send = (fuzz) => fetch(`http://${address}:${port}${fuzz.route.path}`, initOf(fuzz));
    return await fuzzThrough(service, send, count, seed);
  } finally {
    await server.stop(1000);
  }
}
