import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { completionRequestSchema } from '../../src/api/completions/schema.ts';
import { MOST_STEPS, resolvePolicy } from '../../src/engine/request.ts';
import { POLICIES } from '../../src/playground/page/policies.ts';
import { apiCall, asCurl } from '../../src/playground/page/run/completion-body.ts';
import { AUTOMATIC, type CompleteJob, ONE_AT_A_TIME } from '../../src/playground/shared/job.ts';
import { policyNames } from '../../src/sampler/policies/index.ts';

const job: CompleteJob = {
  kind: 'complete',
  prompt: "const a = 'b';\n",
  suffix: null,
  maxTokens: 16,
  temperature: 0.5,
  seed: 7,
  decoding: { policy: 'confidence', parameters: { threshold: 0.3 }, blockLength: null, verify: true },
};

describe.each(policyNames)('the slider of %s', (policy) => {
  const { name, min, max, value, verifiedValue = value } = POLICIES[policy].slider;

  test('starts at the default of the API', () => {
    const [own, verified] = [false, true].map((verify) => resolvePolicy(policy, {}, verify));
    // The API's steps are one for each position: no slider reaches them, so that of the baselines has a start of its own.
    if (name === 'steps') expect([own, verified]).toMatchObject([{ steps: MOST_STEPS }, { steps: MOST_STEPS }]);
    else expect([own, verified]).toMatchObject([{ [name]: value }, { [name]: verifiedValue }]);
  });

  test.each([min, max, value, verifiedValue])('at %d is what the API takes', (parameter) => {
    const decoding = { policy, parameters: { [name]: parameter }, blockLength: 32, verify: false };
    const { path, body } = apiCall({ ...job, decoding });
    expect(path).toBe('/v1/completions');
    expect(completionRequestSchema.parse(body)).toMatchObject({ decoding: { policy, [name]: parameter } });
  });
});

test('a hole has a suffix, and no block length leaves it to the host', () => {
  const { body } = apiCall({ ...job, suffix: '}' });
  expect(body).toMatchObject({ suffix: '}', decoding: { policy: 'confidence', threshold: 0.3, verify: true } });
  expect(apiCall(job).body).not.toHaveProperty('suffix');
  expect(apiCall(job).body).not.toHaveProperty('decoding.block_length');
});

test('the default has no decoding, and one token at a time only a block length', () => {
  expect(apiCall({ ...job, decoding: AUTOMATIC }).body).not.toHaveProperty('decoding');
  const { body } = apiCall({ ...job, decoding: ONE_AT_A_TIME });
  expect(completionRequestSchema.parse(body).decoding).toEqual({ block_length: 1 });
});

describe('as curl', () => {
  /** The arguments that a shell makes of a command. */
  function shellArguments(command: string): string[] {
    const script = `curl() { printf '%s\\0' "$@"; }\n${command}`;
    const env = { SEEDLING_API_KEY: 'sk-test' };
    return execFileSync('/bin/sh', ['-c', script], { env, encoding: 'utf8' }).split('\0').slice(0, -1);
  }

  test('a shell reads the same body back, quotes and all', () => {
    const call = apiCall(job);
    const read = shellArguments(asCurl(call, 'http://localhost:8787', false));
    expect(read.slice(0, -1)).toEqual([
      '-N',
      'http://localhost:8787/v1/completions',
      '-H',
      'content-type: application/json',
      '-d',
    ]);
    expect(JSON.parse(read.at(-1) ?? '')).toEqual(call.body);
  });

  test('a key is a variable of the shell', () => {
    const command = asCurl(apiCall(job), 'http://localhost:8787', true);
    expect(shellArguments(command)).toContain('authorization: Bearer sk-test');
  });
});
