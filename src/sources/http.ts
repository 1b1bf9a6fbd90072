/** A model's files on any web server. */
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { answerFor, parseJson } from './answer.ts';

/** How long a server may say nothing. */
const SILENCE_MS = 30_000;

/**
 * @param baseUrl the address of the model's directory, with or without a slash at its end
 * @param silenceMs how long the server may take to answer, and bring nothing in the middle of a file
 */
export function httpSource(baseUrl: string, silenceMs = SILENCE_MS): WeightSource {
  const base = baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`;
  const get = (file: string, signal: AbortSignal) => answerFor(file, fetch(new URL(file, base), { signal }));
  return {
    silenceMs,
    async json(file) {
      const response = await get(file, AbortSignal.timeout(silenceMs));
      const text = await response.text().catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        throw new ModelLoadError(`${file} breaks off: ${why}`);
      });
      return parseJson(file, text);
    },
    async stream(file) {
      const silence = new AbortController();
      const why = new Error(`no answer within ${silenceMs / 1000} seconds`);
      const timer = setTimeout(() => silence.abort(why), silenceMs);
      const { body } = await get(file, silence.signal).finally(() => clearTimeout(timer));
      if (body === null) throw new ModelLoadError(`${file} is empty`);
      return body;
    },
  };
}
