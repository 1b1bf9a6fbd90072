/** What editors talk to: the real service, closed but for one key, around a fake engine that fills holes and chats. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { createHost } from '../../../src/api/host.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import { createService } from '../../../src/api/service.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import { createFakeEngine, FAKE_CODER } from '../engines/fake-engine.ts';

export const EDITOR_KEY = 'sk-seedling-editor';
/** workerd has no `node:crypto` here, so the hash is written out. */
const EDITOR_KEY_SHA256 = 'e7d689f36f885292d0372fd237d92b71dfaade052bd8a7571533ba1cf945c416';

export function clientService(): OpenAPIHono {
  const engine = createFakeEngine({ stepMs: 5, config: { ...FAKE_CODER, contextLength: 4096 } });
  const read = readSettings({ API_KEYS: `editor:${EDITOR_KEY_SHA256}`, MAX_TOKENS: '4000' });
  const patience = { ...read.patience, keepAliveSeconds: 0.1 };
  const host = createHost({ modelName: 'fake', settings: read, load: async () => engine });
  const app = createService(
    host,
    { ...read, patience },
    {
      address: () => null,
      cut() {},
      limiter: null,
      record() {},
      metrics: null,
      files: { weights: () => Promise.reject(new Error('no weights')), page: null },
      drain: new Drain(),
      about: { version: '0.0.0', description: 'A test.' },
    },
  );
  app.get('/test/state', (c) => {
    const { freeTokens, maxTokens } = engine.model;
    const [request, edit] = [engine.requests.at(-1) ?? null, engine.edits.at(-1) ?? null];
    return c.json({ steps: engine.steps, held: maxTokens - freeTokens, request, edit });
  });
  return app;
}
