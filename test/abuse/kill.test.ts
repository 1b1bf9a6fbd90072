import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BundledWorker, bundleWorker } from '../support/hosts/bare-workerd.ts';
import { killAndRestart } from './kill.ts';
import { startTinyNode, tinyModels } from './tiny-host.ts';

/** The client of a killed server knows that its stream is not whole; the next server knows nothing of the last. */
const RECOVERED = { cut: true, saidDone: false, samePort: true, served: true, heldTokens: 0 };
/** Two starts of a process each, beside whatever else the machine does. */
const PATIENCE_MS = 90_000;
/** EOS, which would end the stream of a random checkpoint early. */
const NO_END = { logit_bias: { 256: -100 } };

let models: string;
let worker: BundledWorker;
beforeAll(async () => {
  models = await tinyModels();
  worker = await bundleWorker('fake-worker.ts');
});
afterAll(async () => {
  await rm(models, { recursive: true });
  await worker.remove();
});

test(
  'kill -9 of the Node entry in the middle of a stream, and a restart on its port',
  async () => {
    const killed = await killAndRestart((port) => startTinyNode(models, port), { ...NO_END, max_tokens: 30_000 });
    expect(killed).toMatchObject(RECOVERED);
    expect(killed.messagesBefore).toBeGreaterThanOrEqual(2);
  },
  PATIENCE_MS,
);

test(
  'the same of workerd',
  async () => {
    const killed = await killAndRestart((port) => worker.start(port), {});
    expect(killed).toMatchObject(RECOVERED);
    expect(killed.messagesBefore).toBeGreaterThanOrEqual(2);
  },
  PATIENCE_MS,
);
