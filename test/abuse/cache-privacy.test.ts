/** Two keys on one server: what one has asked shows neither in the other's answers nor in the work that they take. */
import { beforeEach, expect, test, vi } from 'vitest';
import { API_KEYS, bearer, KEY, OTHER_KEY } from '../support/hosts/fake-service.ts';
import { type TinyService, tinyService } from './tiny-service.ts';

const PROMPT = 'const secret = compute(someThing);\n'.repeat(3);

let service: TinyService;
/** Positions that were run through the model. */
let positions = 0;
beforeEach(async () => {
  service = await tinyService({ ACCESS: 'keys', API_KEYS });
  const { decoder } = service.model;
  const forward = decoder.forward.bind(decoder);
  positions = 0;
  vi.spyOn(decoder, 'forward').mockImplementation((...args: Parameters<typeof forward>) => {
    for (const { ids } of args[0]) positions += ids.length;
    return forward(...args);
  });
});

interface Asked {
  readonly cached: number;
  readonly promptTokens: number;
  readonly positions: number;
  readonly text: string;
}

async function ask(key: string, prompt = PROMPT, path = '/v1/completions'): Promise<Asked> {
  const before = positions;
  const response = await service.app.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(key) },
    body: JSON.stringify({ prompt, max_tokens: 4, decoding: { block_length: 1 } }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
  const body: any = await response.json();
  const cached = body.usage.prompt_tokens_details.cached_tokens;
  return { cached, promptTokens: body.usage.prompt_tokens, positions: positions - before, text: body.choices[0].text };
}

test.each(['/v1/completions', '/v1/fim/completions'])('%s', async (path) => {
  const cold = await ask(KEY, PROMPT, path);
  const own = await ask(KEY, PROMPT, path);
  const other = await ask(OTHER_KEY, PROMPT, path);
  expect(cold.cached).toBe(0);
  // Its own prefix is found: there is something that could be seen.
  expect(own.cached).toBeGreaterThan(50);
  expect(own.positions).toBe(cold.positions - own.cached);
  // Not by the other, whose work is that of a prompt that nobody has asked.
  expect(other).toEqual(cold);
});

test('a guess of one page more costs the other key the same, right or wrong', async () => {
  await ask(KEY);
  const wrong = `${PROMPT.slice(0, -12)}another end;`;
  const [right, guessed] = [await ask(OTHER_KEY), await ask(OTHER_KEY, wrong)];
  // Of its own first prompt the second has what both begin with; the first has nothing of anybody's.
  expect(right.cached).toBe(0);
  expect(guessed.cached).toBeGreaterThan(0);
  const work = ({ positions, cached, promptTokens }: Asked) => positions + cached - promptTokens;
  expect(work(guessed)).toBe(work(right));
});
