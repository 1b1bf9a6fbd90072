/** Python's texts of values: `str`, `repr`, `json.dumps`. */
import {
  isBool,
  isDict,
  isFloat,
  isList,
  isNamespace,
  isNone,
  isText,
  isUndefined,
  typeName,
  type Value,
} from './values.ts';

/** `str(v)`. */
export function strOf(v: Value): string {
  return isText(v) ? v.value : isUndefined(v) ? '' : reprOf(v);
}

function reprOf(v: Value): string {
  if (isText(v)) return quoted(v.value);
  if (isNone(v)) return 'None';
  if (isBool(v)) return v.value ? 'True' : 'False';
  if (isFloat(v)) return floatText(v.value);
  if (isList(v)) {
    const inner = v.value.map(reprOf).join(', ');
    if (v.type !== 'TupleValue') return `[${inner}]`;
    return v.value.length === 1 ? `(${inner},)` : `(${inner})`;
  }
  if (isDict(v)) return `{${Array.from(v.value, ([key, value]) => `${quoted(key)}: ${reprOf(value)}`).join(', ')}}`;
  if (isUndefined(v)) return 'Undefined';
  if (isNamespace(v)) return '<Namespace>';
  return String(v.value);
}

/** `repr` of a text. */
function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escapes: Readonly<Record<string, string>> = {
    '\\': '\\\\',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    [quote]: `\\${quote}`,
  };
  const inner = Array.from(value, (char) => {
    const code = char.codePointAt(0)!;
    return (
      escapes[char] ?? (code < 32 || (code >= 127 && code < 161) ? `\\x${code.toString(16).padStart(2, '0')}` : char)
    );
  });
  return `${quote}${inner.join('')}${quote}`;
}

/** `repr` of a float: an exponent below 1e-4 and from 1e16 on. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

export interface JsonOptions {
  /** Spaces, or the text itself; null for one line. */
  readonly indent: string | null;
  readonly ensureAscii: boolean;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/** `json.dumps`. @throws Error for what JSON does not have */
export function jsonOf(v: Value, options: JsonOptions, depth = 1): string {
  const { indent, separators, sortKeys } = options;
  const lines = (parts: readonly string[], [open, close]: string): string => {
    if (parts.length === 0) return `${open}${close}`;
    if (indent === null) return `${open}${parts.join(separators[0])}${close}`;
    const line = `\n${indent.repeat(depth)}`;
    return `${open}${line}${parts.join(`${separators[0]}${line}`)}\n${indent.repeat(depth - 1)}${close}`;
  };
  if (isList(v))
    return lines(
      v.value.map((part) => jsonOf(part, options, depth + 1)),
      '[]',
    );
  if (isDict(v)) {
    const entries = Array.from(v.value);
    if (sortKeys) entries.sort(([a], [b]) => compareTexts(a, b));
    const parts = entries.map(([key, part]) => {
      return `${jsonText(key, options)}${separators[1]}${jsonOf(part, options, depth + 1)}`;
    });
    return lines(parts, '{}');
  }
  if (isText(v)) return jsonText(v.value, options);
  if (isNone(v)) return 'null';
  if (isBool(v)) return String(v.value);
  if (isFloat(v)) return jsonFloat(v.value);
  if (v.type === 'IntegerValue') return String(v.value);
  throw new Error(`Object of type ${typeName(v)} is not JSON serializable`);
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? floatText(value) : value > 0 ? 'Infinity' : '-Infinity';
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const JSON_ESCAPED = /["\\\u0000-\u001f]/g;
const BEYOND_ASCII = /[\u0080-\uffff]/g;

/** JavaScript's own `JSON.stringify` would escape lone surrogates. */
function jsonText(value: string, { ensureAscii }: JsonOptions): string {
  const json = value.replace(JSON_ESCAPED, (char) => JSON.stringify(char).slice(1, -1));
  const unit = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `"${ensureAscii ? json.replace(BEYOND_ASCII, unit) : json}"`;
}

/** Order by code points, as Python compares texts. */
export function compareTexts(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(left.length - right.length);
}
