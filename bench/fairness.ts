/**
 * Two keys on one Worker in workerd: one with 16 long requests at once, the other with short ones, one after another. How long
 * the short ones wait for their first token, beside the wait that they have alone.
 */
import OpenAI from 'openai';
import { API_KEYS, KEY, OTHER_KEY } from '../test/support/hosts/fake-service.ts';
import { median, percentile, round } from './median.ts';
import { PROMPT_OF_24, salted } from './prompts.ts';
import { DEFAULT_MODEL, size } from './settings.ts';
import { streamCompletion } from './streamed-completion.ts';
import { startIsolate } from './workerd.ts';

const LONG_REQUESTS = 16;
/** Of prompt and completion together, some 1,000. */
const LONG_TOKENS = 500;
const SHORT_REQUESTS = 30;
const SHORT_TOKENS = 4;

export async function run(): Promise<object> {
  const short = size('BENCH_REQUESTS', SHORT_REQUESTS);
  const isolate = await startIsolate({
    ACCESS: { type: 'plain_text', value: 'keys' },
    API_KEYS: { type: 'plain_text', value: API_KEYS },
    RATE_LIMIT: { type: 'plain_text', value: '0' },
  });
  const clientOf = (apiKey: string) => new OpenAI({ baseURL: new URL('/v1', isolate.url).href, apiKey, maxRetries: 0 });
  const [many, few] = [clientOf(KEY), clientOf(OTHER_KEY)];
  try {
    const ask = () => streamCompletion(few, { prompt: salted(PROMPT_OF_24), maxTokens: SHORT_TOKENS });
    await ask();
    const alone = await inTurn(short, ask);
    const stop = new AbortController();
    let refused = 0;
    const long = Array.from({ length: LONG_REQUESTS }, () =>
      longRequest(many, stop.signal).catch((error: unknown) => {
        if (!stop.signal.aborted) refused++;
        return error;
      }),
    );
    // All of them are there, and the first ones write.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const beside = await inTurn(short, ask);
    stop.abort();
    await Promise.all(long);
    const ratio = round(median(beside) / median(alone), 2);
    console.log(
      `first token of ${short} short requests: ${round(median(alone), 0)} ms alone, ${round(median(beside), 0)} ms beside ` +
        `${LONG_REQUESTS} long ones of another key (${ratio} times), at most ${round(Math.max(...beside), 0)} ms; ` +
        `${refused} long ones were refused`,
    );
    return {
      first_ms_alone: round(median(alone), 1),
      first_ms_beside: round(median(beside), 1),
      first_ms_beside_p95: round(percentile(beside, 0.95), 1),
      ratio,
      refused,
    };
  } finally {
    await isolate.stop();
  }
}

/** Milliseconds to the first token of each. */
async function inTurn(count: number, ask: () => Promise<{ readonly firstMs: number }>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) times.push((await ask()).firstMs);
  return times;
}

async function longRequest(client: OpenAI, signal: AbortSignal): Promise<void> {
  // Token ids, so that the length is exact; the first ones differ, so that nothing is reused.
  const prompt = Array.from({ length: LONG_TOKENS }, () => 1000 + Math.floor(Math.random() * 20_000));
  const body = { model: DEFAULT_MODEL, prompt, max_tokens: LONG_TOKENS, temperature: 0, stream: true } as const;
  const stream = await client.completions.create(body, { signal });
  for await (const _ of stream);
}
