/** Fields of a body that no schema knows. They are left out, and one header and the log name them. */
import type { Context } from 'hono';
import { z } from 'zod';
import { unknownField } from './validation-error.ts';

export const IGNORED_HEADER = 'x-seedling-ignored';

const MOST_NAMES = 16;
/** Anything else could break a header or a line of the log. */
const SHOWN_NAME = /^[A-Za-z0-9_.-]{1,40}$/;

/** What becomes of a field that no schema knows. */
export type UnknownFields = 'ignore' | 'reject';

/**
 * Paths of the fields of a valid body that its schema does not have.
 * @param schema of the body. Its own objects are strict, so that they have none.
 * @throws ApiError 400 with the first of them where the server rejects them
 */
export async function unknownFieldsOf(
  c: Context,
  schema: z.ZodType,
  unknownFields: UnknownFields,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  collect(schema, await c.req.json(), '', names);
  const [first] = names;
  if (first !== undefined && unknownFields === 'reject') throw unknownField(first);
  return names;
}

/**
 * Names fields in the header and in the call's record.
 * @param names of fields that were left out
 * @param changed fields with another value than the one that was sent, as `name=value`
 */
export function nameIgnored(c: Context, names: ReadonlySet<string>, changed: readonly string[] = []): void {
  const shown = Array.from(names).filter((name) => SHOWN_NAME.test(name));
  const listed = [...changed, ...shown.slice(0, MOST_NAMES - changed.length)];
  const rest = names.size - (listed.length - changed.length);
  if (rest > 0) listed.push(`+${rest}`);
  if (listed.length === 0) return;
  const value = listed.join(', ');
  c.header(IGNORED_HEADER, value);
  c.get('call').ignored = value;
}

/** Adds the paths that the schema does not have, without the indices of arrays. */
function collect(schema: unknown, value: unknown, path: string, names: Set<string>): void {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    collect(schema.unwrap(), value, path, names);
  } else if (schema instanceof z.ZodArray && Array.isArray(value)) {
    for (const element of value) collect(schema.element, element, path, names);
  } else if (schema instanceof z.ZodObject && typeof value === 'object' && value !== null) {
    const shape: Readonly<Record<string, unknown>> = schema.shape;
    for (const [name, part] of Object.entries(value)) {
      const at = path === '' ? name : `${path}.${name}`;
      if (Object.hasOwn(shape, name)) collect(shape[name], part, at, names);
      else names.add(at);
    }
  }
}
