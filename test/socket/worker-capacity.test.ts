/** C21 on workerd: sizes that contradict the model are the load error, in words; sizes that were left out fit the model. */
import { afterEach, expect, test } from 'vitest';
import { type Bindings, type Isolate, startIsolate } from '../../bench/workerd.ts';

let isolate: Isolate | undefined;
afterEach(async () => {
  await isolate?.stop();
  isolate = undefined;
});

/** The answer of `/health` once the load is over. */
async function health(variables: Record<string, string>): Promise<{ status: number; body: object }> {
  const given = Object.entries({ ACCESS: 'open', RATE_LIMIT: '0', ...variables });
  const bindings = Object.fromEntries(given.map(([name, value]) => [name, { type: 'plain_text', value }]));
  isolate = await startIsolate(bindings as Bindings);
  for (;;) {
    const response = await fetch(new URL('/health', isolate.url));
    const body = (await response.json()) as { status: string };
    if (body.status !== 'loading') return { status: response.status, body };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test.each([
  [{ KV_TOKENS: '8200' }, /Setting KV_TOKENS is 8200, but seedling-135m has a context of 8192 tokens\./],
  [{ KV_TOKENS: '4096' }, /Setting MEMORY_BUDGET_MIB is 120, but seedling-135m and KV_TOKENS=4096 take \d+ MiB\./],
  [
    { MEMORY_BUDGET_MIB: '60' },
    /Setting MEMORY_BUDGET_MIB is 60, but the weights of seedling-135m and one page of KV take \d+ MiB\./,
  ],
])(
  '%j is refused when the model loads',
  async (variables, sentence) => {
    const { status, body } = await health(variables);
    expect(status).toBe(503);
    expect(JSON.stringify(body)).toMatch(sentence);
  },
  60_000,
);

test.each([
  [{}, 2048],
  [{ KV_TOKENS: '1024' }, 1024],
  [{ KV_TOKENS: '512' }, 512],
])(
  '%j is served',
  async (variables, total) => {
    expect(await health(variables)).toMatchObject({ status: 200, body: { kv_tokens: { free: total, total } } });
  },
  60_000,
);
