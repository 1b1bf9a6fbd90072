/** A model's files on any web server. */
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { answerFor, parseJson } from './answer.ts';

/** @param baseUrl the address of the model's directory, with or without a slash at its end */
export function httpSource(baseUrl: string): WeightSource {
  const base = baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`;
  const get = (file: string) => answerFor(file, fetch(new URL(file, base)));
  return {
    json: async (file) => parseJson(file, await (await get(file)).text()),
    async stream(file) {
      const { body } = await get(file);
      if (body === null) throw new ModelLoadError(`${file} is empty`);
      return body;
    },
  };
}
