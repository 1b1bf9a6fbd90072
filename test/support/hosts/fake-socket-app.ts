/**
 * The real app around a slow fake engine, for tests over a socket; `/test/steps` counts denoise steps, `/test/queue` who
 * runs and who waits.
 */

import { createHost } from '../../../src/api/host.ts';
import { createFakeEngine } from '../engines/fake-engine.ts';
import { openApp } from './open-app.ts';

const STEP_MS = 25;

export function fakeSocketApp() {
  const engine = createFakeEngine({ stepMs: STEP_MS });
  const settings = { maxTokens: 4000, bodyLimitBytes: 1024 * 1024, unknownFields: 'ignore' as const };
  const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
  app.get('/test/steps', (c) => c.text(String(engine.steps)));
  app.get('/test/queue', (c) => c.json({ running: engine.queue.running, waiting: engine.queue.waiting }));
  return app;
}
