/** Reads single settings: numbers, lists, hashes. */
import { z } from 'zod';
import type { ApiKey } from '../api/middleware/api-keys.ts';

/** A whole number, as a number or as text. */
export const count = (least: number, most: number, fallback: number) =>
  z.coerce
    .number<string | number>({ error: 'must be a number' })
    .int('must be a whole number')
    .min(least, `must be at least ${least}`)
    .max(most, `must be at most ${most}`)
    .default(fallback);

/** Splits at commas and white space. */
const pieces = (text: string): string[] => text.split(/[\s,]+/).filter((piece) => piece !== '');

const KEY = /^(?:([A-Za-z0-9][A-Za-z0-9._-]{0,63}):)?([0-9a-fA-F]{64})$/;

/** A list of hashes. Each may have a name before it. No message contains the text, since it may hold a key. */
export const apiKeys = z
  .string('must be text')
  .transform((text, context): readonly ApiKey[] => {
    const keys: ApiKey[] = [];
    for (const [index, piece] of pieces(text).entries()) {
      const [, name, hash] = KEY.exec(piece) ?? [];
      if (hash === undefined) {
        const message =
          'must list SHA-256 hashes of 64 hex digits, each optionally as name:hash ' +
          `(npm run key makes one), but entry ${index + 1} is something else`;
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      }
      const sha256 = hash.toLowerCase();
      keys.push({ name: name ?? `key-${sha256.slice(0, 8)}`, sha256 });
    }
    return keys;
  })
  .default([]);

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#*]+$/;

/** A list of origins, written as browsers send them. */
export const origins = z
  .string('must be text')
  .transform((text, context): readonly string[] => {
    const list = pieces(text);
    if (list.every((origin) => ORIGIN.test(origin))) return list;
    context.addIssue({ code: 'custom', message: 'must list origins such as https://example.com, without a path or *' });
    return z.NEVER;
  })
  .default([]);

const HOST_NAME = /^(?!-)[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i;

/** A list of host names, in lower case. */
export const hostNames = z
  .string('must be text')
  .transform((text, context): readonly string[] => {
    const list = pieces(text);
    if (list.every((name) => HOST_NAME.test(name))) return list.map((name) => name.toLowerCase());
    context.addIssue({
      code: 'custom',
      message: 'must list host names such as models.example.com, without a scheme, a port or *',
    });
    return z.NEVER;
  })
  .default([]);

/** Some of `words`, or `none`. */
export function someOf<const Word extends string>(words: readonly Word[], fallback: readonly NoInfer<Word>[]) {
  return z
    .string('must be text')
    .transform((text, context): readonly Word[] => {
      const list = pieces(text);
      if (list.length === 1 && list[0] === 'none') return [];
      const known = list.filter((piece): piece is Word => (words as readonly string[]).includes(piece));
      if (known.length === list.length) return known;
      context.addIssue({ code: 'custom', message: `must list some of ${words.join(', ')}, or be none` });
      return z.NEVER;
    })
    .default([...fallback]);
}
