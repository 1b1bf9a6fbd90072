/** Turns the first problem that zod found into an OpenAI error that names the field. */
import type { ZodError } from 'zod';
import { ApiError } from '../errors.ts';

const LONGEST_NAME = 64;

/** Field names come from the caller: quoted, so that control characters and lone surrogates are escaped, and cut. */
function quote(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}...` : name);
}

function shownPath(path: readonly PropertyKey[]): string | null {
  return path.length === 0 ? null : path.map(String).join('.');
}

/** What stands at a path of the body; undefined also for what an object only inherits. */
function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, name) => {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    return (at as Record<PropertyKey, unknown>)[name];
  }, body);
}

const MISSING = 'missing_required_parameter';

/** @param name the field's path */
export function unknownField(name: string): ApiError {
  const param = JSON.parse(quote(name)) as string;
  return new ApiError(400, `Unrecognized request argument supplied: ${quote(name)}.`, 'unknown_parameter', param);
}

/** @param body as it was sent */
export function toValidationError(error: ZodError, body: unknown): ApiError {
  const issue = error.issues[0];
  if (issue === undefined) return new ApiError(400, 'The request body is not valid.', 'invalid_value');
  const field = shownPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return unknownField([...issue.path, issue.keys[0] ?? ''].map(String).join('.'));
  }
  if (field === null) return new ApiError(400, 'The request body must be a JSON object.', 'invalid_type');
  const custom = issue.code === 'custom' ? (issue.params?.code as unknown) : undefined;
  // Whatever a rule says of a field that was not sent, that is what is wrong with it.
  if (valueAt(body, issue.path) === undefined) {
    const instead = custom === MISSING ? ` ${issue.message}` : '';
    return new ApiError(400, `Missing required parameter: '${field}'${instead}.`, MISSING, field);
  }
  const code = typeof custom === 'string' ? custom : issue.code === 'invalid_type' ? 'invalid_type' : 'invalid_value';
  return new ApiError(400, `Invalid '${field}': ${issue.message}.`, code, field);
}
