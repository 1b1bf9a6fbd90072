/** Requests to the server that the page came from. */
import { RunError } from '../../shared/run-event.ts';

/** @returns an answer of status 200. @throws RunError with a sentence, or the signal's reason */
export async function post(path: string, body: object, key: string, signal: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body), signal }).catch(() => {
    signal.throwIfAborted();
    throw new RunError('The server cannot be reached. Is it running, and are you online?');
  });
  if (response.ok) return response;
  throw await refusal(response);
}

/** The sentence in an error body of OpenAI's shape. */
export function errorMessage(body: unknown): string | null {
  const error = (body as { error?: { message?: unknown } } | null)?.error;
  return typeof error?.message === 'string' ? error.message : null;
}

async function refusal(response: Response): Promise<RunError> {
  const { status } = response;
  const said = errorMessage(await response.json().catch(() => null)) ?? `The server answered with status ${status}.`;
  if (status === 401 || status === 403) return new RunError(`${said} Enter a key under Server.`, true);
  const wait = response.headers.get('retry-after');
  if (wait !== null && /^\d+$/.test(wait)) return new RunError(`${said} Try again in ${wait} s.`);
  return new RunError(said);
}
