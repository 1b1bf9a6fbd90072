/** A model's files among the Worker's static assets. */
import { ModelLoadError } from './model/errors.ts';
import type { WeightSource } from './model/weight-source.ts';

/** The part of the assets binding that is used. */
export interface Assets {
  fetch(url: string): Promise<Response>;
}

export function assetsSource(assets: Assets, model: string): WeightSource {
  async function get(file: string): Promise<Response> {
    // The binding ignores the host name; it only has to be a URL.
    const response = await assets.fetch(`https://assets.local/models/${model}/${file}`).catch((error: unknown) => {
      throw new ModelLoadError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new ModelLoadError(
      response.status === 404 ? `${file} is missing` : `${file} cannot be read: status ${response.status}`,
    );
  }

  return {
    async json(file) {
      const text = await (await get(file)).text();
      try {
        return JSON.parse(text);
      } catch {
        throw new ModelLoadError(`${file} is not JSON`);
      }
    },
    async stream(file) {
      const { body } = await get(file);
      if (body === null) throw new ModelLoadError(`${file} is empty`);
      return body;
    },
  };
}
