/** Reads JSON files of a Hugging Face directory and checks them against a schema. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { ConversionError } from './checkpoint.ts';
import { parsePythonJson } from './python-json.ts';

/**
 * The file's content, or undefined if it is not there.
 * @param parse of a file that Python does not write: `JSON.parse`
 * @throws ConversionError naming the file, and the field where one is wrong.
 */
export async function readJsonFile<T>(
  directory: string,
  file: string,
  schema: z.ZodType<T>,
  parse: (text: string) => unknown = parsePythonJson,
): Promise<T | undefined> {
  const path = join(directory, file);
  return existsSync(path) ? parseCheckedJson(await readFile(path, 'utf8'), path, schema, parse) : undefined;
}

/** @throws ConversionError naming `path`, and the field where one is wrong. */
export function parseCheckedJson<T>(
  text: string,
  path: string,
  schema: z.ZodType<T>,
  parse: (text: string) => unknown = parsePythonJson,
): T {
  let json: unknown;
  try {
    json = parse(text);
  } catch (error) {
    throw new ConversionError(`${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  return checkJson(json, basename(path), schema);
}

/** @throws ConversionError naming `what`, and the field that is wrong. */
export function checkJson<T>(json: unknown, what: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new ConversionError(`${what}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
