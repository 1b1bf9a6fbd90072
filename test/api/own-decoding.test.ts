/** What a request gets that does not say how to decode: what the model was made for, where its configuration says so. */
import { describe, expect, test } from 'vitest';
import { completionRequestSchema } from '../../src/api/completions/schema.ts';
import { resolveRequest } from '../../src/api/generate/resolve.ts';
import { readSettings } from '../../src/hosts/settings.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { FakeModel } from '../support/engines/fake-model.ts';

function resolved(config: Partial<ModelConfig>, decoding: object = {}) {
  const body = completionRequestSchema.parse({ prompt: 'x', decoding });
  return resolveRequest(body, new FakeModel({ config }), readSettings({})).decoding;
}

const BLOCKS = { contextAttention: 'block_causal', blockLength: 32, subBlockLength: 8 } as const;
const SURE = { policy: 'confidence', threshold: 0.85, inclusive: true } as const;
const EVENLY = { policy: 'fixed', schedule: 'round', ranking: 'entropy', steps: null } as const;

describe('decoding', () => {
  test('is the model’s own, over the parts of its blocks', () => {
    expect(resolved({ ...BLOCKS, decoding: SURE })).toEqual({
      ...SURE,
      blockLength: 8,
      verify: false,
      remasking: null,
      approximateCache: null,
    });
    const evenly = { policy: 'fixed', schedule: 'round', ranking: 'entropy', steps: 64 };
    expect(resolved({ ...BLOCKS, decoding: EVENLY })).toMatchObject(evenly);
    expect(resolved({ ...BLOCKS, decoding: { ...EVENLY, steps: 3 } })).toMatchObject({ steps: 3 });
  });

  test('of a whole canvas is one position a step, however long it is', () => {
    const canvas = { contextAttention: 'full', blockLength: 4096 } as const;
    expect(resolved({ ...canvas, decoding: EVENLY })).toMatchObject({ policy: 'fixed', steps: 4096 });
    expect(resolved(canvas, { policy: 'random' })).toMatchObject({ policy: 'random', steps: 4096 });
  });

  test('is this project’s where the model has none, or can verify', () => {
    expect(resolved(BLOCKS)).toMatchObject({ policy: 'confidence', threshold: 0.9, verify: false });
    expect(resolved({ decoding: SURE })).toMatchObject({ policy: 'confidence', threshold: 0.3, verify: true });
  });

  test('is what the request says, field by field', () => {
    const config = { ...BLOCKS, decoding: SURE };
    expect(resolved(config, { threshold: 0.5 })).toMatchObject({ threshold: 0.5, inclusive: true });
    expect(resolved(config, { policy: 'factor' })).toMatchObject({ policy: 'factor', factor: 0.75 });
    expect(resolved({ ...BLOCKS, decoding: EVENLY }, { threshold: 0.5 })).toMatchObject({
      policy: 'confidence',
      threshold: 0.5,
    });
    expect(resolved(config, { block_length: 4 })).toMatchObject({ blockLength: 4 });
  });
});
