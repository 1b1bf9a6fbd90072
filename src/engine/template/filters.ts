/** The filters of Jinja, with the `tojson` that transformers puts in its place. */
import { attribute, callMethod, item } from './members.ts';
import { compare, equal, TESTS } from './operators.ts';
import { capitalize, replace, splitLines, strip } from './strings.ts';
import { jsonOf, strOf } from './text.ts';
import {
  Arguments,
  elementsOf,
  float,
  integer,
  isDict,
  isFloat,
  isList,
  isNone,
  isText,
  isUndefined,
  list,
  NONE,
  numeric,
  str,
  truthOf,
  typeName,
  UNDEFINED,
  type Value,
  wholeOf,
} from './values.ts';

type Filter = (v: Value, args: Arguments) => Value;

/** `foo.bar.0` of a value: the argument `attribute` of many filters. */
function path(v: Value, name: Value): Value {
  return strOf(name)
    .split('.')
    .reduce((found, part) => (isUndefined(found) ? found : step(found, part)), v);
}

function step(v: Value, part: string): Value {
  return /^\d+$/.test(part) ? item(v, integer(Number(part))) : isDict(v) ? item(v, str(part)) : attribute(v, part);
}

/** What a sort or a comparison looks at. @param caseSensitive texts as they are */
function keyOf(v: Value, name: Value | undefined, caseSensitive: boolean): Value {
  const key = name && !isNone(name) ? path(v, name) : v;
  return isText(key) && !caseSensitive ? str(key.value.toLowerCase()) : key;
}

function tested(args: Arguments, from: number): (v: Value) => boolean {
  const [name, ...rest] = args.rest.slice(from);
  if (name === undefined) return truthOf;
  const test = TESTS[strOf(name)];
  if (!Object.hasOwn(TESTS, strOf(name))) throw new Error(`No test named '${strOf(name)}'`);
  return (v) => test!(v, rest);
}

function select(keep: boolean, byAttribute: boolean): Filter {
  return (v, args) => {
    const test = tested(args, byAttribute ? 1 : 0);
    const of = (one: Value) => (byAttribute ? path(one, args.at(0, 'attribute')) : one);
    return list(elementsOf(v).filter((one) => test(of(one)) === keep));
  };
}

function map(v: Value, args: Arguments): Value {
  if (args.has('attribute')) {
    const [name, none] = [args.at(-1, 'attribute'), args.get(-1, 'default')];
    return list(
      elementsOf(v).map((one) => {
        const found = path(one, name);
        return isUndefined(found) && none ? none : found;
      }),
    );
  }
  const [name, ...rest] = args.rest;
  if (name === undefined) throw new Error('map requires a filter argument');
  return list(elementsOf(v).map((one) => applyFilter(strOf(name), one, rest)));
}

function indent(v: Value, args: Arguments): Value {
  const width = args.get(0, 'width') ?? integer(4);
  const space = isText(width) ? width.value : ' '.repeat(wholeOf(width));
  const [first, blank] = [truthOf(args.at(1, 'first')), truthOf(args.at(2, 'blank'))];
  const lines = splitLines(`${strOf(v)}\n`);
  const rest = lines.slice(1).map((line) => (line === '' && !blank ? '' : space + line));
  return str((first ? space : '') + [lines[0]!, ...rest].join('\n'));
}

function sorted(v: Value, args: Arguments): Value {
  const [reverse, caseSensitive] = [truthOf(args.at(0, 'reverse')), truthOf(args.at(1, 'case_sensitive'))];
  const key = (one: Value) => keyOf(one, args.get(2, 'attribute'), caseSensitive);
  const sign = reverse ? -1 : 1;
  return list([...elementsOf(v)].sort((a, b) => sign * compare(key(a), key(b))));
}

function dictSort(v: Value, args: Arguments): Value {
  const pairs = callMethod('items', v, [], null).value as Value[];
  const place = strOf(args.get(1, 'by') ?? str('key')) === 'value' ? 1 : 0;
  const caseSensitive = truthOf(args.at(0, 'case_sensitive'));
  const key = (pair: Value) => keyOf((pair.value as Value[])[place]!, undefined, caseSensitive);
  const sign = truthOf(args.at(2, 'reverse')) ? -1 : 1;
  return list([...pairs].sort((a, b) => sign * compare(key(a), key(b))));
}

function extreme(sign: number): Filter {
  return (v, args) => {
    const key = (one: Value) => keyOf(one, args.get(1, 'attribute'), truthOf(args.at(0, 'case_sensitive')));
    const all = elementsOf(v);
    if (all.length === 0) return UNDEFINED;
    return all.reduce((best, one) => (sign * compare(key(one), key(best)) > 0 ? one : best));
  };
}

function unique(v: Value, args: Arguments): Value {
  const seen: Value[] = [];
  return list(
    elementsOf(v).filter((one) => {
      const key = keyOf(one, args.get(1, 'attribute'), truthOf(args.at(0, 'case_sensitive')));
      if (seen.some((other) => equal(other, key))) return false;
      seen.push(key);
      return true;
    }),
  );
}

function toJson(v: Value, args: Arguments): Value {
  const spaces = args.at(1, 'indent');
  const indent = isNone(spaces) ? null : isText(spaces) ? spaces.value : ' '.repeat(wholeOf(spaces));
  const given = args.at(2, 'separators');
  const [item = '', key = ''] = isNone(given) ? [indent === null ? ', ' : ',', ': '] : elementsOf(given).map(strOf);
  const ensureAscii = truthOf(args.at(0, 'ensure_ascii'));
  return str(jsonOf(v, { indent, ensureAscii, separators: [item, key], sortKeys: truthOf(args.at(3, 'sort_keys')) }));
}

function toInteger(v: Value, args: Arguments): Value {
  const number = numeric(v);
  if (number !== null) return integer(Math.trunc(number));
  const written = isText(v) ? strip(v.value, NONE, true, true).replaceAll('_', '') : '';
  if (/^[+-]?(\d+|\d*\.\d*([eE][+-]?\d+)?)$/.test(written) && /\d/.test(written)) {
    return integer(Math.trunc(Number(written)));
  }
  return args.get(0, 'default') ?? integer(0);
}

function toFloat(v: Value, args: Arguments): Value {
  const number = numeric(v);
  if (number !== null) return float(number);
  const written = isText(v) ? strip(v.value, NONE, true, true) : '';
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(written)) return float(Number(written));
  return args.get(0, 'default') ?? float(0);
}

function round(v: Value, args: Arguments): Value {
  const number = numeric(v);
  if (number === null) throw new Error(`'${typeName(v)}' is not a number`);
  const factor = 10 ** wholeOf(args.get(0, 'precision') ?? integer(0));
  const method = strOf(args.get(1, 'method') ?? str('common'));
  const scaled = number * factor;
  if (method === 'ceil') return float(Math.ceil(scaled) / factor);
  if (method === 'floor') return float(Math.floor(scaled) / factor);
  // Half goes to the even neighbour.
  const floor = Math.floor(scaled);
  const whole = scaled - floor === 0.5 ? floor + (floor % 2 === 0 ? 0 : 1) : Math.round(scaled);
  return isFloat(v) ? float(whole / factor) : integer(whole / factor);
}

/** Jinja's own title: a word begins after spaces, hyphens and opening brackets. */
function title(s: string): string {
  return s.replace(/[^-\s({[<]+/gu, (word) => {
    const [first = '', ...rest] = Array.from(word);
    return first.toUpperCase() + rest.join('').toLowerCase();
  });
}

const length: Filter = (v) => {
  if (isText(v)) return integer(Array.from(v.value).length);
  if (isList(v)) return integer(v.value.length);
  if (isDict(v)) return integer(v.value.size);
  if (isUndefined(v)) return integer(0);
  throw new Error(`object of type '${typeName(v)}' has no len()`);
};

const fallback: Filter = (v, args) => {
  const none = args.get(0, 'default_value') ?? str('');
  return isUndefined(v) || (truthOf(args.at(1, 'boolean')) && !truthOf(v)) ? none : v;
};

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };
const escapeHtml: Filter = (v) => str(strOf(v).replace(/[&<>"']/g, (char) => HTML[char]!));

export const FILTERS: Readonly<Record<string, Filter>> = {
  abs: (v) => (isFloat(v) ? float(Math.abs(v.value)) : integer(Math.abs(numeric(v) ?? Number.NaN))),
  attr: (v, args) => attribute(v, strOf(args.at(0, 'name'))),
  capitalize: (v) => str(capitalize(strOf(v))),
  count: length,
  d: fallback,
  default: fallback,
  dictsort: dictSort,
  e: escapeHtml,
  escape: escapeHtml,
  first: (v) => elementsOf(v)[0] ?? UNDEFINED,
  float: toFloat,
  indent,
  int: toInteger,
  items: (v) => (isUndefined(v) ? list([]) : callMethod('items', v, [], null)),
  join: (v, args) => {
    const name = args.get(1, 'attribute');
    const parts = elementsOf(v).map((one) => strOf(name ? path(one, name) : one));
    return str(parts.join(strOf(args.get(0, 'd') ?? str(''))));
  },
  last: (v) => elementsOf(v).at(-1) ?? UNDEFINED,
  length,
  list: (v) => list(elementsOf(v)),
  lower: (v) => str(strOf(v).toLowerCase()),
  map,
  max: extreme(1),
  min: extreme(-1),
  reject: select(false, false),
  rejectattr: select(false, true),
  replace: (v, args) => str(replace(strOf(v), args.at(0, 'old'), args.at(1, 'new'), args.at(2, 'count'))),
  reverse: (v) => (isText(v) ? str(Array.from(v.value).reverse().join('')) : list([...elementsOf(v)].reverse())),
  round,
  safe: (v) => str(strOf(v)),
  select: select(true, false),
  selectattr: select(true, true),
  sort: sorted,
  string: (v) => str(strOf(v)),
  sum: (v, args) => {
    const name = args.get(0, 'attribute');
    const parts = elementsOf(v).map((one) => (name && !isNone(name) ? path(one, name) : one));
    const total = parts.reduce(
      (sum, one) => sum + (numeric(one) ?? Number.NaN),
      numeric(args.get(1, 'start') ?? integer(0))!,
    );
    return parts.some(isFloat) ? float(total) : integer(total);
  },
  title: (v) => str(title(strOf(v))),
  tojson: toJson,
  trim: (v, args) => str(strip(strOf(v), args.at(0, 'chars'), true, true)),
  unique,
  upper: (v) => str(strOf(v).toUpperCase()),
  wordcount: (v) => integer((strOf(v).match(/[\p{L}\p{N}_]+/gu) ?? []).length),
};

/** @throws Error where Jinja raises */
export function applyFilter(name: string, v: Value, args: readonly Value[]): Value {
  if (!Object.hasOwn(FILTERS, name)) throw new Error(`No filter named '${name}'`);
  return FILTERS[name]!(v, new Arguments(args));
}
