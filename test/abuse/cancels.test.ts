import { beforeAll, describe, expect, test } from 'vitest';
import { cancelStorm, type Storm, socketStorm } from './cancels.ts';
import { watchAbortListeners } from './listeners.ts';
import { type TinyService, tinyService } from './tiny-service.ts';

/** `npm run bench -- abuse` has 10,000. */
const REQUESTS = 300;
const OVER_SOCKETS = 100;
const NOTHING = { kv_tokens: 0, running: 0, waiting: 0, calls: 0 };

function expectNothingLeft({ requests, completed, cancelled, refused, held, listeners }: Storm): void {
  expect(held).toEqual(NOTHING);
  expect(listeners).toBe(0);
  expect(refused).toEqual({});
  expect(completed + cancelled).toBe(requests);
  expect(completed).toBeGreaterThan(requests / 5);
  expect(cancelled).toBeGreaterThan(requests / 5);
}

describe('short requests whose clients go away at any moment', () => {
  let service: TinyService;
  beforeAll(async () => {
    service = await tinyService();
  });

  test(`${REQUESTS} in the process leave no KV, no listener, nobody in the queue`, async () => {
    expectNothingLeft(await cancelStorm(service, REQUESTS));
    expect(service.records).toHaveLength(REQUESTS);
  });

  test(`${OVER_SOCKETS} over sockets leave no socket either`, async () => {
    const result = await socketStorm(service, OVER_SOCKETS);
    expectNothingLeft(result);
    expect(result.sockets).toBe(0);
  });

  test('and the service still answers as it did', async () => {
    const ask = async (app: TinyService['app']) => {
      const response = await app.request('/v1/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"prompt":"let x = ","max_tokens":24}',
      });
      return ((await response.json()) as { choices: { text: string }[] }).choices[0]?.text;
    };
    expect(await ask(service.app)).toBe(await ask((await tinyService()).app));
  });
});

test('the watch sees a listener that stays, and none that was removed or has been used up', () => {
  const watch = watchAbortListeners();
  try {
    const [stays, goes] = [new AbortController(), new AbortController()];
    const listener = () => {};
    stays.signal.addEventListener('abort', listener);
    goes.signal.addEventListener('abort', listener, { once: true });
    expect(watch.open()).toBe(2);
    goes.abort();
    expect(watch.open()).toBe(1);
    stays.signal.removeEventListener('abort', listener);
    expect(watch.open()).toBe(0);
  } finally {
    watch.stop();
  }
});
