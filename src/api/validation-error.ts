/** The first thing that zod found wrong, as an OpenAI error that names the field. */
import type { ZodError } from 'zod';
import { ApiError } from './errors.ts';

const LONGEST_NAME = 64;

/** Field names come from the caller: quoted, so that control characters and lone surrogates are escaped, and cut. */
function quote(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}...` : name);
}

function shownPath(path: readonly PropertyKey[]): string | null {
  return path.length === 0 ? null : path.map(String).join('.');
}

export function toValidationError(error: ZodError): ApiError {
  const issue = error.issues[0];
  if (issue === undefined) return new ApiError(400, 'The request body is not valid.', 'invalid_value');
  const field = shownPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const name = shownPath([...issue.path, issue.keys[0] ?? '']) ?? '';
    const param = JSON.parse(quote(name)) as string;
    return new ApiError(400, `Unrecognized request argument supplied: ${quote(name)}.`, 'unknown_parameter', param);
  }
  if (field === null) return new ApiError(400, 'The request body must be a JSON object.', 'invalid_type');
  const custom = issue.code === 'custom' ? (issue.params?.code as unknown) : undefined;
  const code = typeof custom === 'string' ? custom : issue.code === 'invalid_type' ? 'invalid_type' : 'invalid_value';
  return new ApiError(400, `Invalid '${field}': ${issue.message}.`, code, field);
}
