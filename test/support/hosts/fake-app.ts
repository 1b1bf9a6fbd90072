/** The real app around a fake engine, called without a socket. */

import type { UnknownFields } from '../../../src/api/fields/ignored.ts';
import { createHost } from '../../../src/api/host.ts';
import { createFakeEngine, type FakeOptions } from '../engines/fake-engine.ts';
import { openApp } from './open-app.ts';

export const BODY_LIMIT = 1024 * 1024;
const JSON_BODY = { 'content-type': 'application/json' };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a body is whatever came back; assertions say what it must be
  readonly json: any;
}

/**
 * @param maxTokens the setting MAX_TOKENS
 * @param unknownFields the setting UNKNOWN_FIELDS
 */
export function fakeApp(options: FakeOptions = {}, maxTokens = 1024, unknownFields: UnknownFields = 'ignore') {
  const engine = createFakeEngine(options);
  const settings = { maxTokens, bodyLimitBytes: BODY_LIMIT, unknownFields };
  const app = openApp(
    createHost({ modelName: 'fake', settings, load: async () => engine, readConfig: async () => engine.model.config }),
  );

  async function ask(path: string, init?: RequestInit): Promise<Answer> {
    const response = await app.request(path, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
  }

  /** Sends the body as it is, so that it may be malformed. */
  const postRaw = (body: BodyInit, headers: Record<string, string> = JSON_BODY, path = '/v1/completions') =>
    ask(path, { method: 'POST', body, headers });

  const post = (body: unknown, path?: string) => postRaw(JSON.stringify(body), JSON_BODY, path);
  return { app, engine, ask, postRaw, post };
}

/** The payloads of an SSE body, in order; `[DONE]` stays text. Throws on any line that is not one message. */
// biome-ignore lint/suspicious/noExplicitAny: see Answer
export function messages(body: string): any[] {
  if (!body.endsWith('\n\n')) throw new Error(`the stream ends within a message: ${JSON.stringify(body.slice(-40))}`);
  return body
    .slice(0, -2)
    .split('\n\n')
    .map((message) => {
      if (!message.startsWith('data: ') || message.includes('\n')) throw new Error(`not one data line: ${message}`);
      const payload = message.slice('data: '.length);
      return payload === '[DONE]' ? payload : JSON.parse(payload);
    });
}
