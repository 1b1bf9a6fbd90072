/** The real service around a fake engine, with little patience, for tests over a socket; `/test/state` shows the engine. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { createHost } from '../../../src/api/host.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import { createService, type Platform } from '../../../src/api/service.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import { createFakeEngine } from '../engines/fake-engine.ts';

const KEEP_ALIVE_SECONDS = 0.2;
const STALL_SECONDS = 0.5;
/** The life of a request where nobody may take long. */
export const HURRY = 1;

/**
 * @param cut what the host can do about a reader that stalls
 * @param requestSeconds longest life of a request
 */
export function hastyService(cut: Platform['cut'], drain = new Drain(), requestSeconds = 60): OpenAPIHono {
  const engine = createFakeEngine({ stepMs: 5 });
  const read = readSettings({ ACCESS: 'open', MAX_TOKENS: '4000' });
  const patience = { requestSeconds, keepAliveSeconds: KEEP_ALIVE_SECONDS, stallSeconds: STALL_SECONDS };
  const host = createHost({ modelName: 'fake', settings: read, load: async () => engine });
  const endings: (string | null)[] = [];
  const app = createService(
    host,
    { ...read, patience },
    {
      address: () => null,
      cut,
      limiter: null,
      record: ({ route, ending }) => route === '/v1/completions' && endings.push(ending),
      metrics: null,
      files: { weights: () => Promise.reject(new Error('no weights')), page: null },
      drain,
      about: { version: '0.0.0', description: 'A test.' },
    },
  );
  app.get('/test/state', (c) => {
    const { freeTokens, maxTokens } = engine.model;
    return c.json({ steps: engine.steps, allFree: freeTokens === maxTokens, endings });
  });
  return app;
}
