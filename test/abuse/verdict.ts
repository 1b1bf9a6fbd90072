/** What every answer to a POST must be, whatever was sent. */
import type { FuzzCase } from './fuzz.ts';

const TYPES = ['invalid_request_error', 'requests', 'server_error'];
/** Codes of errors that no single field is to blame for. */
const OF_THE_WHOLE = ['invalid_json', 'request_too_large', 'unsupported_media_type', 'model_not_found'];
/** A stack, or a path of this machine. */
const LEAK = /\n\s+at |node:internal|\/(?:home|work|usr|tmp|src)\/|\.ts:\d/;

/** @returns null for an answer as it must be, else what is wrong with it */
export function verdictOf(fuzz: FuzzCase, response: Response, text: string): string | null {
  if (response.status >= 500) return `status ${response.status}: ${text.slice(0, 300)}`;
  if (LEAK.test(text) && response.status !== 200) return `says too much: ${text.slice(0, 300)}`;
  const type = response.headers.get('content-type') ?? '';
  if (response.status !== 200) return errorProblem(fuzz, response.status, text);
  return type.startsWith('text/event-stream') ? streamProblem(text) : jsonProblem(text);
}

function jsonProblem(text: string): string | null {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && !('error' in body) ? null : `a body of ${text.slice(0, 100)}`;
  } catch {
    return `no JSON: ${text.slice(0, 100)}`;
  }
}

/** Data lines and comments only; the last message says that it is the last. */
function streamProblem(text: string): string | null {
  if (!text.endsWith('\n\n')) return `a stream that ends in ${JSON.stringify(text.slice(-40))}`;
  const messages = text.slice(0, -2).split('\n\n');
  const strange = messages.find((message) => !/^(?:data: |: )[^\n]*$/.test(message));
  if (strange !== undefined) return `no message: ${JSON.stringify(strange.slice(0, 100))}`;
  const payloads = messages.filter((message) => message.startsWith('data: ')).map((message) => message.slice(6));
  if (payloads.some((payload) => payload.includes('"error"'))) return `an error in the stream: ${payloads.at(-1)}`;
  const last = payloads.at(-1) ?? '';
  return last === '[DONE]' || (last.startsWith('{') && JSON.parse(last).stop === true) ? null : `ends with ${last}`;
}

function errorProblem({ body, route }: FuzzCase, status: number, text: string): string | null {
  let parsed: { error?: { message?: unknown; type?: unknown; param?: unknown; code?: unknown } };
  try {
    parsed = JSON.parse(text);
  } catch {
    return `status ${status} without JSON: ${text.slice(0, 100)}`;
  }
  const { error } = parsed;
  if (!error || Object.keys(parsed).length !== 1) return `no error object: ${text.slice(0, 100)}`;
  const { message, type, param, code } = error;
  if (typeof message !== 'string' || message.length < 8 || message.length > 600) return `a message like ${message}`;
  if (!message.isWellFormed()) return 'a message with half a surrogate pair';
  if (!TYPES.includes(String(type))) return `type ${type}`;
  if (typeof code !== 'string') return `code ${code}`;
  if (param === null) {
    if (OF_THE_WHOLE.includes(code) || !isObject(body)) return null;
    return `names no field: ${text.slice(0, 300)}`;
  }
  if (typeof param !== 'string') return `param ${param}`;
  return known(param, body, route.fields) ? null : `names ${JSON.stringify(param)}, which nobody sent: ${text}`;
}

function parse(body: FuzzCase['body']): unknown {
  try {
    return JSON.parse(typeof body === 'string' ? body : new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

function isObject(body: FuzzCase['body']): boolean {
  const parsed = parse(body);
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
}

/** A field that was sent, or one that the route has. */
function known(param: string, body: FuzzCase['body'], fields: readonly string[]): boolean {
  const sent = Object.keys((parse(body) ?? {}) as object);
  const shown = (name: string) => (name.length > 64 ? name.slice(0, 64) : name).toWellFormed();
  return [...fields, ...sent].some((name) => param.toWellFormed().startsWith(shown(name)));
}
