/** A greedy completion of the own engine, timed: in Node and in a page. */

import { completionRequestSchema } from '../src/api/completions/schema.ts';
import { predictedBy } from '../src/api/fields/prediction.ts';
import { resolveRequest } from '../src/api/generate/resolve.ts';
import type { Engine } from '../src/engine/engine.ts';
import type { Cost } from '../src/engine/request.ts';
import { readSettings } from '../src/hosts/settings.ts';
import { Stopwatch, type TimedCompletion } from './timed-completion.ts';

const settings = readSettings({});

/** A request's `decoding` object. Empty is the server's default. */
export type DecodingFields = Readonly<Record<string, unknown>>;

export interface OwnCompletion {
  readonly timed: TimedCompletion;
  readonly promptTokens: number;
  readonly cost: Cost;
}

/**
 * The same as such a request on a server, without the server.
 * @param fields more of the request's
 * @throws ZodError on a decoding that the API does not know
 */
export async function completeTimed(
  engine: Engine,
  prompt: string,
  maxTokens: number,
  decoding: DecodingFields,
  fields: object = {},
): Promise<OwnCompletion> {
  const body = completionRequestSchema.parse({ prompt, max_tokens: maxTokens, temperature: 0, decoding, ...fields });
  const request = { ...body, predicted: predictedBy(body.prediction) };
  const watch = new Stopwatch();
  let text = '';
  for await (const event of engine.generate(resolveRequest(request, engine.model, settings))) {
    if (event.type === 'block') {
      watch.token();
      text += event.text;
    }
    if (event.type === 'done') {
      watch.token();
      const { promptTokens, completionTokens } = event.usage;
      return { timed: watch.stop(completionTokens, text), promptTokens, cost: event.cost };
    }
  }
  throw new Error('the engine ended without its last event');
}
