/** The `decoding` object over HTTP: what each policy takes, what it refuses, and what the API says of it. */
import { describe, expect, test } from 'vitest';
import { fakeApp } from '../support/hosts/fake-app.ts';

async function resolved(decoding: object) {
  const { post, engine } = fakeApp();
  const { status } = await post({ prompt: 'x', decoding });
  expect(status).toBe(200);
  return engine.requests[0]?.decoding;
}

async function refused(decoding: object) {
  const { post, engine } = fakeApp();
  const { status, json } = await post({ prompt: 'x', decoding });
  expect(engine.steps).toBe(0);
  return [status, json.error.code, json.error.param, json.error.message];
}

describe('a policy', () => {
  test.each([
    [{}, { policy: 'confidence', threshold: 0.3 }],
    [{ threshold: 0 }, { policy: 'confidence', threshold: 0 }],
    [{ policy: 'factor' }, { policy: 'factor', factor: 0.75 }],
    [
      { policy: 'factor', factor: 1 },
      { policy: 'factor', factor: 1 },
    ],
    [{ policy: 'frechet' }, { policy: 'frechet', delta: 0.25 }],
    [
      { policy: 'frechet', delta: 0 },
      { policy: 'frechet', delta: 0 },
    ],
    [{ policy: 'entropy_bound' }, { policy: 'entropy_bound', gamma: 0.1 }],
    [
      { policy: 'entropy_bound', gamma: 2.5 },
      { policy: 'entropy_bound', gamma: 2.5 },
    ],
    [{ policy: 'fixed' }, { policy: 'fixed', steps: 64, schedule: 'linear' }],
    [
      { policy: 'fixed', steps: 3, schedule: 'cosine' },
      { policy: 'fixed', steps: 3, schedule: 'cosine' },
    ],
    [
      { policy: 'random', steps: 4 },
      { policy: 'random', steps: 4 },
    ],
    [{ policy: 'left_to_right' }, { policy: 'left_to_right', steps: 64 }],
  ])('%j', async (decoding, expected) => {
    expect(await resolved(decoding)).toEqual({
      ...expected,
      blockLength: null,
      verify: true,
      remasking: null,
      approximateCache: null,
    });
    // What is final at once is decided with more care.
    const final = Object.keys(decoding).length > 0 ? expected : { ...expected, threshold: 0.9 };
    const unverified = { ...final, blockLength: 4, verify: false, remasking: null, approximateCache: null };
    expect(await resolved({ ...decoding, verify: false })).toEqual(unverified);
  });

  test('a block length, and remasking with its defaults', async () => {
    expect(await resolved({ block_length: 9 })).toMatchObject({ blockLength: 9, verify: true });
    const remasking = { strategy: 'cap', sigma: 0.1, steps: 4 };
    expect(await resolved({ remasking: {} })).toMatchObject({ blockLength: 4, verify: false, remasking });
    const given = { strategy: 'confidence', sigma: 0.5, steps: 12 };
    expect(await resolved({ remasking: given })).toMatchObject({ remasking: given });
    expect((await refused({ remasking: {}, verify: true })).slice(0, 3)).toEqual([
      400,
      'invalid_value',
      'decoding.remasking',
    ]);
    expect((await refused({ remasking: { sigma: 2 } })).slice(0, 3)).toEqual([
      400,
      'invalid_value',
      'decoding.remasking.sigma',
    ]);
  });

  test('an approximate cache, off unless asked for', async () => {
    expect(await resolved({})).toMatchObject({ approximateCache: null });
    expect(await resolved({ approximate_cache: {} })).toMatchObject({
      approximateCache: { kind: 'prefix', refresh: null },
    });
    expect(await resolved({ approximate_cache: { kind: 'dual', refresh: 4 } })).toMatchObject({
      approximateCache: { kind: 'dual', refresh: 4 },
    });
    for (const [given, name] of [
      [{ kind: 'triple' }, '.kind'],
      [{ refresh: 0 }, '.refresh'],
      [{ refresh: 65 }, '.refresh'],
    ] as const) {
      const [status, code, param] = await refused({ approximate_cache: given });
      expect([status, code, param]).toEqual([400, 'invalid_value', `decoding.approximate_cache${name}`]);
    }
  });

  test.each([
    [{ steps: 2 }, 'steps', "'fixed', 'random' or 'left_to_right', not with 'confidence'"],
    [{ policy: 'confidence', factor: 1 }, 'factor', "'factor', not with 'confidence'"],
    [{ policy: 'factor', threshold: 0.5 }, 'threshold', "'confidence', not with 'factor'"],
    [{ policy: 'frechet', gamma: 1 }, 'gamma', "'entropy_bound', not with 'frechet'"],
    [{ policy: 'entropy_bound', delta: 0.1 }, 'delta', "'frechet', not with 'entropy_bound'"],
    [{ policy: 'fixed', threshold: 0.5 }, 'threshold', "'confidence', not with 'fixed'"],
    [{ policy: 'random', schedule: 'cosine' }, 'schedule', "'fixed', not with 'random'"],
    [{ policy: 'left_to_right', threshold: 1 }, 'threshold', "'confidence', not with 'left_to_right'"],
  ])('does not take what it would not read: %j', async (decoding, name, message) => {
    const [status, code, param, said] = await refused(decoding);
    expect([status, code, param]).toEqual([400, 'invalid_value', `decoding.${name}`]);
    expect(said).toContain(message);
  });

  test.each([
    [{ policy: 'magic' }, 'policy', 'invalid_value'],
    [{ policy: 'constructor' }, 'policy', 'invalid_value'],
    [{ policy: 3 }, 'policy', 'invalid_value'],
    [{ threshold: -0.1 }, 'threshold', 'invalid_value'],
    [{ threshold: '0.9' }, 'threshold', 'invalid_type'],
    [{ policy: 'factor', factor: 0 }, 'factor', 'invalid_value'],
    [{ policy: 'factor', factor: 65 }, 'factor', 'invalid_value'],
    [{ policy: 'frechet', delta: 1 }, 'delta', 'invalid_value'],
    [{ policy: 'frechet', delta: -0.01 }, 'delta', 'invalid_value'],
    [{ policy: 'entropy_bound', gamma: -1 }, 'gamma', 'invalid_value'],
    [{ policy: 'fixed', steps: 0 }, 'steps', 'invalid_value'],
    [{ policy: 'fixed', steps: 1.5 }, 'steps', 'invalid_type'],
    [{ policy: 'fixed', steps: 65, block_length: 64 }, 'steps', 'invalid_value'],
    [{ policy: 'random', steps: 5 }, 'steps', 'invalid_value'],
    [{ policy: 'fixed', schedule: 'square' }, 'schedule', 'invalid_value'],
  ])('has its bounds: %j', async (decoding, name, code) => {
    expect((await refused(decoding)).slice(0, 3)).toEqual([400, code, `decoding.${name}`]);
  });

  test('is documented with its parameters, their defaults and bounds, and its source', async () => {
    const { json } = await fakeApp().ask('/openapi.json');
    const { properties, additionalProperties } = json.components.schemas.Decoding;
    expect(additionalProperties).toBe(false);
    for (const name of properties.policy.enum) expect(properties.policy.description).toContain(`\`${name}\`: `);
    for (const source of ['2505.22618', '2606.02955', '2505.24857', '2502.09992']) {
      expect(properties.policy.description).toContain(source);
    }
    for (const name of ['threshold', 'factor', 'delta', 'gamma', 'steps', 'schedule']) {
      expect(properties[name].description).toMatch(/^With `.*Default/s);
    }
    expect(properties.threshold).toMatchObject({ type: 'number', minimum: 0, maximum: 1 });
    expect(properties.steps).toMatchObject({ type: 'integer', minimum: 1, maximum: 64 });
    expect(properties.schedule.enum).toEqual(['linear', 'cosine', 'round', 'floor']);
  });
});
