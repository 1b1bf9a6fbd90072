/** What all HTTP sources share: they get an answer, or throw an error that names the file. */
import { ModelLoadError } from '../model/errors.ts';

/** @throws ModelLoadError naming the file, for no answer and for any that is not a success */
export async function answerFor(file: string, asking: Promise<Response>): Promise<Response> {
  const response = await asking.catch((error: unknown) => {
    throw new ModelLoadError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  if (response.ok) return response;
  await response.body?.cancel();
  const why = response.status === 404 ? 'is missing' : `cannot be read: status ${response.status}`;
  throw new ModelLoadError(`${file} ${why}`);
}

/** @throws ModelLoadError naming the file */
export function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ModelLoadError(`${file} is not JSON`);
  }
}
