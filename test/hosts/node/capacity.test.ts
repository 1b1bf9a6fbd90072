/** C21: the sizes of the Node host are settled at start and printed. What cannot be settled stops the start. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { machineBudgetMib } from '../../../src/hosts/node/host/settings.ts';
import { convertToDirectory } from '../../support/engines/models.ts';
import { EndedEarlyError, type NodeProcess, startNodeProcess } from '../../support/hosts/node-process.ts';

const ENTRY = '../../../src/hosts/node/main.ts';
const MIB = 2 ** 20;
const TINY = 'tiny-llama';
/** Of `tiny-llama`: as its `config.json` says. */
const TINY_CONTEXT = 256;

let models: string;
let host: NodeProcess | undefined;

beforeAll(async () => {
  models = dirname(await convertToDirectory(TINY, 'int8'));
});

afterEach(async () => {
  await host?.stop();
  host = undefined;
});

/** @param variables in place of the settings of the shell that runs the tests */
function start(variables: Record<string, string>): Promise<NodeProcess> {
  const none = { MEMORY_BUDGET_MIB: '', KV_TOKENS: '', MAX_TOKENS: '', CONCURRENCY: '', THREADS: '', RUNTIME: '' };
  return startNodeProcess(ENTRY, { ...none, MODEL: TINY, MODELS_DIR: models, ...variables });
}

// biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
async function get(path: string): Promise<any> {
  const response = await fetch(new URL(path, host?.url));
  expect(response.status, path).toBe(200);
  return response.json();
}

/** What the host says at start, and what it says of itself once the model is loaded. */
async function settled(variables: Record<string, string>) {
  host = await start(variables);
  await expect.poll(() => host?.output(), { timeout: 10_000 }).toContain('Context: ');
  const line = /Context: .*/.exec(host.output())?.[0] ?? '';
  await expect.poll(async () => (await fetch(new URL('/health', host?.url))).status, { timeout: 30_000 }).toBe(200);
  const [health, props, list] = [await get('/health'), await get('/props'), await get('/v1/models')];
  return { line, health, props, card: list.data[0] };
}

/** The shipped model. */
const SHIPPED = { MODEL: 'seedling-135m', MODELS_DIR: 'models' };
const shippedContext = async () => JSON.parse(await readFile('models/seedling-135m/config.json', 'utf8')).contextLength;

describe('settles, prints and serves', () => {
  test.each([
    [{}, TINY_CONTEXT, TINY_CONTEXT, "256 tokens (the model's own), 256 of them new in a request. Concurrency: 16 "],
    [{ KV_TOKENS: '64' }, 64, 64, '64 tokens (KV_TOKENS), 64 of them new in a request. '],
    [{ KV_TOKENS: '60' }, 64, 64, '64 tokens (KV_TOKENS=60, in whole pages), 64 of them new in a request. '],
    [{ MAX_TOKENS: '32' }, TINY_CONTEXT, 32, "256 tokens (the model's own), 32 of them new in a request. "],
    [{ MAX_TOKENS: '500' }, TINY_CONTEXT, TINY_CONTEXT, '256 of them new in a request, not 500. '],
    [{ KV_TOKENS: '128', MAX_TOKENS: '128', CONCURRENCY: '3' }, 128, 128, 'in a request. Concurrency: 3 requests. '],
    [{ MEMORY_BUDGET_MIB: '64' }, TINY_CONTEXT, TINY_CONTEXT, ' of 64 MiB (MEMORY_BUDGET_MIB).'],
  ])('%j', async (variables, kvTokens, maxTokens, words) => {
    const { line, health, props, card } = await settled(variables);
    expect(line).toContain(words);
    expect(health.kv_tokens).toEqual({ free: kvTokens, total: kvTokens });
    expect(props.default_generation_settings.n_ctx).toBe(kvTokens);
    expect(props.default_generation_settings.params.n_predict).toBe(Math.min(128, maxTokens));
    expect(card.context_length).toBe(kvTokens);
  });

  test('the shipped model gets its own context, and KV_TOKENS gets what it says', async () => {
    const context = await shippedContext();
    const own = await settled(SHIPPED);
    expect(own.line).toContain(`Context: ${context} tokens (the model's own), 1024 of them new in a request. `);
    expect(own.health.kv_tokens.total).toBe(context);
    expect(own.card.context_length).toBe(context);
    // The printed memory is the model's, and the share of JavaScript.
    const needed = Number(/Memory: (\d+) of/.exec(own.line)?.[1]);
    expect(Math.abs(needed - 20 - own.health.memory_bytes.total / MIB)).toBeLessThan(1);
    await host?.stop();
    const asked = await settled({ ...SHIPPED, KV_TOKENS: String(context) });
    expect(asked.line).toContain(`Context: ${context} tokens (KV_TOKENS), `);
    expect(asked.health.kv_tokens.total).toBe(context);
  });

  test('a budget that cannot hold the whole context leaves less, and that is printed', async () => {
    const context = await shippedContext();
    const { line, health, card } = await settled({ ...SHIPPED, MEMORY_BUDGET_MIB: '110' });
    const { total } = health.kv_tokens;
    expect(total).toBeLessThan(context);
    expect(total).toBeGreaterThan(0);
    expect(line).toContain(`Context: ${total} tokens (of ${context}: more does not fit the memory), `);
    expect(line).toContain('Memory: 110 of 110 MiB (MEMORY_BUDGET_MIB).');
    expect(health.memory_bytes.total).toBeLessThanOrEqual(90 * MIB);
    expect(card.context_length).toBe(total);
  });

  test('a model that cannot be read yet: the load settles the sizes and prints them', async () => {
    const late = dirname(await convertToDirectory(TINY, 'int8'));
    const file = join(late, TINY, 'config.json');
    const config = await readFile(file, 'utf8');
    await writeFile(file, '{}');
    host = await start({ MODELS_DIR: late, KV_TOKENS: '300' });
    const health = async () => (await (await fetch(new URL('/health', host?.url))).json()) as { reason?: string };
    await expect.poll(async () => (await health()).reason).toContain('config.json');
    expect(host.output()).not.toContain('Context: ');
    // In one step: a load that is on its way must not read half a file.
    await writeFile(`${file}.new`, config);
    await rename(`${file}.new`, file);
    const ask = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt":"x"}' };
    const answer = await fetch(new URL('/v1/completions', host.url), ask);
    expect(answer.status).toBe(503);
    const { error } = (await answer.json()) as { error: { message: string } };
    expect(error.message).toContain('Setting KV_TOKENS is 300, but tiny-llama has a context of 256 tokens.');
  });
});

describe('a contradiction stops the start with one sentence and status 1', () => {
  test.each<[Record<string, string>, RegExp]>([
    [{ KV_TOKENS: '257' }, /^Setting KV_TOKENS is 257, but tiny-llama has a context of 256 tokens\.\n$/],
    [
      { ...SHIPPED, KV_TOKENS: '65536', MEMORY_BUDGET_MIB: '4096' },
      /^Setting KV_TOKENS is 65536, but seedling-135m has a context of \d+ tokens\.\n$/,
    ],
    [
      { KV_TOKENS: '64', MAX_TOKENS: '65' },
      /^Setting MAX_TOKENS is 65, but KV_TOKENS is 64, which leaves no room for so many\.\n$/,
    ],
    [
      { MEMORY_BUDGET_MIB: '20' },
      /^Setting MEMORY_BUDGET_MIB is 20, but the weights of tiny-llama and one page of KV take 2\d MiB\.\n$/,
    ],
    [
      { ...SHIPPED, MEMORY_BUDGET_MIB: '60' },
      /^Setting MEMORY_BUDGET_MIB is 60, but the weights of seedling-135m and one page of KV take \d+ MiB\.\n$/,
    ],
    [
      { ...SHIPPED, KV_TOKENS: '8192', MEMORY_BUDGET_MIB: '120' },
      /^Setting MEMORY_BUDGET_MIB is 120, but seedling-135m and KV_TOKENS=8192 take \d+ MiB\.\n$/,
    ],
    [
      { ...SHIPPED, KV_TOKENS: '8192', MEMORY_BUDGET_MIB: '120', THREADS: '4' },
      /^Setting MEMORY_BUDGET_MIB is 120, but seedling-135m and KV_TOKENS=8192 take \d+ MiB\.\n$/,
    ],
    [
      { KV_TOKENS: '300', RUNTIME: 'onnx' },
      /^Setting KV_TOKENS is 300, but tiny-llama has a context of 256 tokens\.\n$/,
    ],
  ])('%j', async (variables, sentence) => {
    const ended = await start(variables).then(
      (running) => {
        host = running;
        throw new Error(`the host started: ${running.output()}`);
      },
      (error: unknown) => error,
    );
    expect(ended).toBeInstanceOf(EndedEarlyError);
    const { code, output } = ended as EndedEarlyError;
    expect(output).toMatch(sentence);
    expect(code).toBe(1);
  });

  test('the memory that the sentence names is enough, and one MiB less is not', async () => {
    const sizes = { ...SHIPPED, KV_TOKENS: '4096' };
    const ended = await start({ ...sizes, MEMORY_BUDGET_MIB: '100' }).catch((error: EndedEarlyError) => error);
    const enough = Number(/take (\d+) MiB/.exec((ended as EndedEarlyError).output as string)?.[1]);
    await expect(start({ ...sizes, MEMORY_BUDGET_MIB: String(enough - 1) })).rejects.toThrow(
      'Setting MEMORY_BUDGET_MIB',
    );
    const { health } = await settled({ ...sizes, MEMORY_BUDGET_MIB: String(enough) });
    expect(health.kv_tokens.total).toBe(4096);
  });
});

// cgroups say 0, the largest number or more than there is where nothing limits a process.
test.each([
  [0, 8 * 1024 * MIB, 4096],
  [2 ** 64, 8 * 1024 * MIB, 4096],
  [Number.MAX_SAFE_INTEGER, 1024 * MIB, 512],
  [512 * MIB, 8 * 1024 * MIB, 256],
  [8 * 1024 * MIB, 512 * MIB, 256],
  [0, 64 * 1024 * MIB, 4096],
  [1, 8 * 1024 * MIB, 1],
])('a limit of %d bytes on a machine of %d gives a budget of %d MiB', (constrained, total, budget) => {
  expect(machineBudgetMib(constrained, total)).toBe(budget);
});
