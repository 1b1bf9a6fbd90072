/** Bodies from the routes' own OpenAPI schemas: mostly valid, before somebody spoils them. */
import type { Draws } from './draws.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON Schema, read by path
export type Schema = any;

export interface PostRoute {
  readonly path: string;
  /** With references resolved. */
  readonly schema: Schema;
  /** Names that a body may have. */
  readonly fields: readonly string[];
}

/** Every route that takes a JSON body. */
export function postRoutes(document: Schema): readonly PostRoute[] {
  return Object.entries<Schema>(document.paths).flatMap(([path, { post }]) => {
    const schema = post?.requestBody?.content?.['application/json']?.schema;
    if (schema === undefined) return [];
    const resolved = resolve(schema, document);
    return [{ path, schema: resolved, fields: Object.keys(resolved.properties) }];
  });
}

function resolve(schema: Schema, document: Schema): Schema {
  if (Array.isArray(schema)) return schema.map((part) => resolve(part, document));
  if (typeof schema !== 'object' || schema === null) return schema;
  if (typeof schema.$ref === 'string') {
    const steps = schema.$ref.replace('#/', '').split('/');
    return resolve(
      steps.reduce((at: Schema, step: string) => at[step], document),
      document,
    );
  }
  return Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, resolve(part, document)]));
}

/** What generations are kept to, so that thousands of valid bodies take a bearable time. */
const FEW_TOKENS = 12;
const WORDS = ['', 'x', 'let total = 0;\n', 'a b', 'é漢😀', '<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>', '\u0000\t'];
const TOKEN_LIMITS = ['max_tokens', 'max_completion_tokens', 'n_predict'];
const CANDIDATES = ['n', 'n_cmpl', 'best_of'];

/** A body that the schema allows; rules between fields may still refuse it. */
export function schemaBody({ schema }: PostRoute, draws: Draws): Record<string, unknown> {
  const body = drawn(schema, draws, '') as Record<string, unknown>;
  if (draws.chance(0.9)) delete body.model;
  for (const name of TOKEN_LIMITS) if (typeof body[name] === 'number') body[name] = 1 + draws.below(FEW_TOKENS);
  for (const name of CANDIDATES) if (typeof body[name] === 'number') body[name] = 1 + draws.below(3);
  return body;
}

function drawn(schema: Schema, draws: Draws, name: string): unknown {
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return drawn(draws.one(options), draws, name);
  if (schema.enum) return draws.one(schema.enum);
  if ('const' in schema) return schema.const;
  const type = Array.isArray(schema.type) ? draws.one<string>(schema.type) : schema.type;
  switch (type) {
    case 'object':
      return objectOf(schema, draws);
    case 'array': {
      const most = Math.min(schema.maxItems ?? 3, 3);
      const items = (schema.minItems ?? 0) + draws.below(most + 1);
      return Array.from({ length: items }, () => drawn(schema.items ?? {}, draws, name));
    }
    case 'string':
      return name === 'model' ? 'tiny' : draws.one(WORDS);
    case 'integer':
      return Math.round(numberOf(schema, draws));
    case 'number':
      return numberOf(schema, draws);
    case 'boolean':
      return draws.chance(0.5);
    case 'null':
      return null;
    default:
      return draws.one<unknown>([null, 0, 'auto', [], {}, true]);
  }
}

function objectOf(schema: Schema, draws: Draws): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const required: readonly string[] = schema.required ?? [];
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    // Of fields without a type most values are refused.
    const wanted = draws.chance(isTyped(part) ? 0.12 : 0.01);
    if (required.includes(name) || wanted) body[name] = drawn(part, draws, name);
  }
  if (schema.additionalProperties?.type && draws.chance(0.5)) {
    body[String(draws.below(200))] = drawn(schema.additionalProperties, draws, '');
  }
  return body;
}

function isTyped(schema: Schema): boolean {
  return ['type', 'anyOf', 'oneOf', 'enum'].some((name) => name in schema);
}

function numberOf(schema: Schema, draws: Draws): number {
  const least = schema.minimum ?? schema.exclusiveMinimum ?? 0;
  const most = Math.min(schema.maximum ?? schema.exclusiveMaximum ?? 200, least + 200);
  return least + draws.unit() * (most - least);
}
