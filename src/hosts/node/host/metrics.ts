/** Prometheus metrics of one process. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Host } from '../../../api/host.ts';
import type { Drain } from '../../../api/middleware/drain.ts';
import type { RequestRecord } from '../../../api/middleware/record.ts';
import type { Metrics } from '../../../api/models/metrics.ts';

const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export class NodeMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'seedling_requests_total',
    help: 'Requests that are over. The ending is empty where they ran to their end.',
    labelNames: ['method', 'route', 'status', 'ending'] as const,
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: 'seedling_request_duration_seconds',
    help: 'From a request to the last byte of its answer.',
    labelNames: ['route'] as const,
    buckets: SECONDS,
    registers: [this.#registry],
  });
  readonly #tokens = new Counter({
    name: 'seedling_tokens_total',
    help: 'Tokens of completions that ran to their end: of prompts, those of them found in the cache, and written.',
    labelNames: ['kind'] as const,
    registers: [this.#registry],
  });
  readonly #forwards = new Counter({
    name: 'seedling_forwards_total',
    help: 'Model forwards after the prefill (NFE), of completions that ran to their end.',
    registers: [this.#registry],
  });
  readonly #underWay = new Gauge({
    name: 'seedling_requests_under_way',
    help: 'Requests that are not over.',
    registers: [this.#registry],
  });
  readonly #queue = new Gauge({
    name: 'seedling_queue_requests',
    help: 'Requests that run in the engine, and that wait for room.',
    labelNames: ['state'] as const,
    registers: [this.#registry],
  });
  readonly #kvTokens = new Gauge({
    name: 'seedling_kv_tokens',
    help: 'Room in the KV pool.',
    labelNames: ['state'] as const,
    registers: [this.#registry],
  });
  readonly #drain: Drain;

  constructor(drain: Drain) {
    this.#drain = drain;
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  record(request: RequestRecord): void {
    const { method, status } = request;
    const route = request.route ?? 'none';
    this.#requests.inc({ method, route, status, ending: request.ending ?? '' });
    this.#seconds.observe({ route }, request.ms / 1000);
    this.#tokens.inc({ kind: 'prompt' }, request.prompt_tokens);
    this.#tokens.inc({ kind: 'cached' }, request.cached_tokens);
    this.#tokens.inc({ kind: 'completion' }, request.completion_tokens);
    this.#forwards.inc(request.nfe);
  }

  async text(host: Host): Promise<string> {
    this.#underWay.set(this.#drain.calls);
    const state = host.state();
    if (state.status === 'ok') {
      const { model, queue } = state.engine;
      this.#queue.set({ state: 'running' }, queue.running);
      this.#queue.set({ state: 'waiting' }, queue.waiting);
      this.#kvTokens.set({ state: 'free' }, model.freeTokens);
      this.#kvTokens.set({ state: 'total' }, model.maxTokens);
    }
    return this.#registry.metrics();
  }
}
