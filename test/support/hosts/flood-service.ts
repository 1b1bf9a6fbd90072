/**
 * The real service around a fake engine whose every piece of text is 64 KB where the prompt asks for it: no buffer of a
 * socket holds such an answer. Readers are given up soon. `/test/state` says who is still there.
 */

import { createHost, type ServedEngine } from '../../../src/api/host.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import { createService } from '../../../src/api/service.ts';
import type { EngineEvent } from '../../../src/engine/job.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import { createFakeEngine } from '../engines/fake-engine.ts';

/** The prompt of a reader that is to be overrun. */
export const FLOOD = 'flood';
export const STALL_SECONDS = 2;
const PIECE = 'x'.repeat(64 * 1024);
const STEP_MS = 2;

export interface FloodState {
  readonly running: number;
  readonly waiting: number;
  readonly freeTokens: number;
  readonly totalTokens: number;
  readonly calls: number;
  /** How requests ended that did not run to their end. */
  readonly endings: Readonly<Record<string, number>>;
}

async function* inflated(events: AsyncGenerator<EngineEvent, void, void>): AsyncGenerator<EngineEvent, void, void> {
  for await (const event of events) yield event.type === 'block' ? { ...event, text: PIECE } : event;
}

export function floodService() {
  const totalTokens = 1_000_000;
  const fake = createFakeEngine({ totalTokens, stepMs: STEP_MS, limits: { concurrency: 128 } });
  const engine: ServedEngine = {
    ...fake,
    async admit(request, signal) {
      const admitted = await fake.admit(request, signal, '');
      if (request.kind === 'edit' || request.prompt !== FLOOD) return admitted;
      return { release: () => admitted.release(), run: (signal) => inflated(admitted.run(signal)) };
    },
  };
  const read = readSettings({ ACCESS: 'open', MAX_TOKENS: '4000' });
  const settings = { ...read, patience: { ...read.patience, stallSeconds: STALL_SECONDS } };
  const drain = new Drain();
  const endings: Record<string, number> = {};
  const app = createService(createHost({ modelName: 'fake', settings, load: async () => engine }), settings, {
    address: () => null,
    // As the two hosts have it: Node cuts the connection, workerd cannot.
    cut: (c) => (c.env as { outgoing?: { destroy(): void } }).outgoing?.destroy(),
    limiter: null,
    record({ ending }) {
      if (ending !== null) endings[ending] = (endings[ending] ?? 0) + 1;
    },
    metrics: null,
    files: {
      async weights() {
        throw new Error('there are none');
      },
      page: null,
    },
    drain,
    about: { version: '0.0.0', description: 'A test.' },
  });
  app.get('/test/state', (c) => {
    const { running, waiting } = fake.queue;
    // This request is one of them.
    return c.json({
      running,
      waiting,
      freeTokens: fake.model.freeTokens,
      totalTokens,
      calls: drain.calls - 1,
      endings,
    });
  });
  return app;
}
