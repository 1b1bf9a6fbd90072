/** Valid requests of every route that does work, each done in a few forwards of a tiny model. */
import type { Draws } from './draws.ts';

export interface ShortRequest {
  readonly path: string;
  readonly body: object;
  readonly stream: boolean;
}

const CODE = 'let total = 0;\nfor (const x of list) total += x;\nreturn total;\n';

export function shortRequest(draws: Draws): ShortRequest {
  const stream = draws.chance(0.6);
  const text = CODE.slice(0, 1 + draws.below(CODE.length));
  const tokens = 1 + draws.below(24);
  const common = { stream, temperature: draws.one([0, 1]), ...(stream && draws.chance(0.2) && { diffusing: true }) };
  const n = draws.chance(0.1) ? 3 : 1;
  const requests: readonly (readonly [string, object])[] = [
    ['/v1/completions', { ...common, prompt: text, max_tokens: tokens, n, echo: draws.chance(0.2) }],
    ['/v1/completions', { ...common, prompt: text, suffix: ';', max_tokens: tokens, logprobs: 2 }],
    ['/v1/fim/completions', { ...common, prompt: text, suffix: '}\n', max_tokens: tokens }],
    ['/v1/chat/completions', { ...common, messages: [{ role: 'user', content: text }], max_tokens: tokens, n }],
    ['/v1/edit/completions', { ...common, temperature: undefined, code: text, settings: { max_forwards: 20 } }],
    ['/completion', { stream, prompt: text, n_predict: tokens }],
    ['/infill', { stream, input_prefix: text, input_suffix: '}', n_predict: tokens }],
  ];
  const [path, body] = draws.one(requests);
  return { path, body, stream };
}
