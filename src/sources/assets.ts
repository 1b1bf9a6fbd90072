/** A model's files among the Worker's static assets. */
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { answerFor, parseJson } from './answer.ts';

/** The part of the assets binding that is used. */
export interface Assets {
  fetch(url: string): Promise<Response>;
}

export function assetsSource(assets: Assets, model: string): WeightSource {
  // The binding ignores the host name; it only has to be a URL.
  const get = (file: string) => answerFor(file, assets.fetch(`https://assets.local/models/${model}/${file}`));
  return {
    json: async (file) => parseJson(file, await (await get(file)).text()),
    async stream(file) {
      const { body } = await get(file);
      if (body === null) throw new ModelLoadError(`${file} is empty`);
      return body;
    },
  };
}
