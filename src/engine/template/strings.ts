/** Python's methods of `str`. */
import {
  type Arguments,
  bool,
  elementsOf,
  integer,
  isList,
  isNone,
  isText,
  list,
  str,
  typeName,
  type Value,
  wholeOf,
} from './values.ts';

/** What `str.isspace` takes. JavaScript's `trim` has U+FEFF instead of the separators below U+0020 and U+0085. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACES = new RegExp(`[${SPACE}]+`);
const IS_SPACE = new RegExp(`^[${SPACE}]+$`);
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python ends lines at separators below U+0020 too
const LINE = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;

/** `s.strip(chars)` at either end. */
export function strip(s: string, chars: Value, start: boolean, end: boolean): string {
  if (!isNone(chars) && !isText(chars)) throw new Error('strip arg must be None or str');
  const set = isText(chars) ? new Set(chars.value) : null;
  const drop = (char: string) => (set ? set.has(char) : IS_SPACE.test(char));
  let [from, to] = [0, s.length];
  while (start && from < to) {
    const char = String.fromCodePoint(s.codePointAt(from)!);
    if (!drop(char)) break;
    from += char.length;
  }
  while (end && to > from) {
    const char = Array.from(s.slice(Math.max(from, to - 2), to)).at(-1)!;
    if (!drop(char)) break;
    to -= char.length;
  }
  return s.slice(from, to);
}

/** `s.split(sep, maxsplit)`; `s.rsplit` where `right`. */
function split(s: string, sep: Value, most: number, right: boolean): string[] {
  if (!isNone(sep) && !isText(sep)) throw new Error(`must be str or None, not ${typeName(sep)}`);
  if (isText(sep) && sep.value === '') throw new Error('empty separator');
  const limit = most < 0 ? Number.POSITIVE_INFINITY : most;
  const parts: string[] = [];
  let rest = isText(sep) ? s : strip(s, sep, !right, right);
  while (rest !== '' || isText(sep)) {
    const cut = parts.length < limit ? nextCut(rest, sep, right) : null;
    if (cut === null) {
      parts.push(rest);
      break;
    }
    const [from, to] = cut;
    parts.push(right ? rest.slice(to) : rest.slice(0, from));
    rest = right ? rest.slice(0, from) : rest.slice(to);
    // Spaces at the far end are no part of their own.
    if (!isText(sep) && rest === '') break;
  }
  return right ? parts.reverse() : parts;
}

function nextCut(s: string, sep: Value, right: boolean): [from: number, to: number] | null {
  if (isText(sep)) {
    const at = right ? s.lastIndexOf(sep.value) : s.indexOf(sep.value);
    return at < 0 ? null : [at, at + sep.value.length];
  }
  const runs = [...s.matchAll(new RegExp(SPACES, 'g'))];
  const run = right ? runs.at(-1) : runs[0];
  return run ? [run.index, run.index + run[0].length] : null;
}

export function splitLines(s: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let rest = s;
  while (rest !== '') {
    const end = LINE.exec(rest);
    const to = end ? end.index + end[0].length : rest.length;
    lines.push(rest.slice(0, keepEnds || !end ? to : end.index));
    rest = rest.slice(to);
  }
  return lines;
}

export function replace(s: string, from: Value, to: Value, count: Value): string {
  const [old, young] = [textArgument(from), textArgument(to)];
  const most = isNone(count) || wholeOf(count) < 0 ? Number.POSITIVE_INFINITY : wholeOf(count);
  // An empty text stands before every character and at the end.
  const parts = old === '' ? ['', ...Array.from(s), ''] : s.split(old);
  return parts.reduce((all, part, i) => `${all}${i <= most ? young : old}${part}`);
}

export function capitalize(s: string): string {
  const [first = '', ...rest] = Array.from(s);
  return titled(first) + rest.join('').toLowerCase();
}

function titled(char: string): string {
  const upper = char.toUpperCase();
  return Array.from(upper).length === 1 ? upper : upper.slice(0, 1) + upper.slice(1).toLowerCase();
}

/** `s.title()`: a letter after none is in upper case, others in lower case. */
function title(s: string): string {
  return s.replace(/\p{Cased}[\p{Cased}\p{Mn}]*/gu, (word) => capitalize(word));
}

function textArgument(v: Value): string {
  if (isText(v)) return v.value;
  throw new Error(`argument must be str, not ${typeName(v)}`);
}

/** Whether one of the texts of `what` fits: a text, or a tuple of texts. */
function some(what: Value, fits: (affix: string) => boolean): Value {
  if (isText(what)) return bool(fits(what.value));
  if (!isList(what)) throw new Error(`first arg must be str or a tuple of str, not ${typeName(what)}`);
  return bool(what.value.some((one) => fits(textArgument(one))));
}

/** Code points of s within Python's `start` and `end`. */
function within(s: string, start: Value, end: Value): { part: string; from: number } {
  const all = Array.from(s);
  const place = (v: Value, none: number) => {
    if (isNone(v)) return none;
    const at = wholeOf(v);
    return Math.min(Math.max(at < 0 ? at + all.length : at, 0), all.length);
  };
  const from = place(start, 0);
  return { part: all.slice(from, place(end, all.length)).join(''), from };
}

/** Place of `what` in code points, or -1. */
function find(s: string, args: Arguments, last: boolean): number {
  const what = textArgument(args.at(0, 'sub'));
  const { part, from } = within(s, args.at(1, 'start'), args.at(2, 'end'));
  const at = last ? part.lastIndexOf(what) : part.indexOf(what);
  return at < 0 ? -1 : from + Array.from(part.slice(0, at)).length;
}

function index(s: string, args: Arguments, last: boolean): Value {
  const at = find(s, args, last);
  if (at < 0) throw new Error('substring not found');
  return integer(at);
}

function padded(s: string, args: Arguments, place: 'left' | 'right' | 'both'): Value {
  const fill = args.get(1, 'fillchar');
  const char = fill ? textArgument(fill) : ' ';
  const room = Math.max(0, wholeOf(args.at(0, 'width')) - Array.from(s).length);
  const width = Array.from(s).length + room;
  const before = place === 'left' ? room : place === 'right' ? 0 : (room >> 1) + (room & width & 1);
  return str(char.repeat(before) + s + char.repeat(room - before));
}

const every = (pattern: RegExp) => (s: string) => bool(pattern.test(s));
const cased = (s: string, same: string) => bool(s === same && s.toLowerCase() !== s.toUpperCase());

/** Name -> what it does with the text and the arguments. */
export const STRING_METHODS: Readonly<Record<string, (s: string, args: Arguments) => Value>> = {
  upper: (s) => str(s.toUpperCase()),
  lower: (s) => str(s.toLowerCase()),
  casefold: (s) => str(s.toLowerCase().replaceAll('ß', 'ss')),
  title: (s) => str(title(s)),
  capitalize: (s) => str(capitalize(s)),
  swapcase: (s) =>
    str(Array.from(s, (char) => (char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase())).join('')),
  strip: (s, args) => str(strip(s, args.at(0, 'chars'), true, true)),
  lstrip: (s, args) => str(strip(s, args.at(0, 'chars'), true, false)),
  rstrip: (s, args) => str(strip(s, args.at(0, 'chars'), false, true)),
  split: (s, args) =>
    list(split(s, args.at(0, 'sep'), wholeOf(args.get(1, 'maxsplit') ?? integer(-1)), false).map(str)),
  rsplit: (s, args) =>
    list(split(s, args.at(0, 'sep'), wholeOf(args.get(1, 'maxsplit') ?? integer(-1)), true).map(str)),
  splitlines: (s, args) => list(splitLines(s, args.get(0, 'keepends')?.value === true).map(str)),
  partition: (s, args) => partition(s, textArgument(args.at(0, 'sep')), false),
  rpartition: (s, args) => partition(s, textArgument(args.at(0, 'sep')), true),
  replace: (s, args) => str(replace(s, args.at(0, 'old'), args.at(1, 'new'), args.at(2, 'count'))),
  join: (s, args) => str(elementsOf(args.at(0, 'iterable')).map(textArgument).join(s)),
  startswith: (s, args) => {
    const { part } = within(s, args.at(1, 'start'), args.at(2, 'end'));
    return some(args.at(0, 'prefix'), (prefix) => part.startsWith(prefix));
  },
  endswith: (s, args) => {
    const { part } = within(s, args.at(1, 'start'), args.at(2, 'end'));
    return some(args.at(0, 'suffix'), (suffix) => part.endsWith(suffix));
  },
  removeprefix: (s, args) => {
    const prefix = textArgument(args.at(0, 'prefix'));
    return str(s.startsWith(prefix) ? s.slice(prefix.length) : s);
  },
  removesuffix: (s, args) => {
    const suffix = textArgument(args.at(0, 'suffix'));
    return str(suffix !== '' && s.endsWith(suffix) ? s.slice(0, -suffix.length) : s);
  },
  find: (s, args) => integer(find(s, args, false)),
  rfind: (s, args) => integer(find(s, args, true)),
  index: (s, args) => index(s, args, false),
  rindex: (s, args) => index(s, args, true),
  count: (s, args) => {
    const what = textArgument(args.at(0, 'sub'));
    const { part } = within(s, args.at(1, 'start'), args.at(2, 'end'));
    return integer(what === '' ? Array.from(part).length + 1 : part.split(what).length - 1);
  },
  ljust: (s, args) => padded(s, args, 'right'),
  rjust: (s, args) => padded(s, args, 'left'),
  center: (s, args) => padded(s, args, 'both'),
  zfill: (s, args) => {
    const [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(s) ?? [];
    return str(sign + digits.padStart(wholeOf(args.at(0, 'width')) - sign.length, '0'));
  },
  isspace: every(IS_SPACE),
  isdigit: every(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+$/u),
  isdecimal: every(/^\p{Nd}+$/u),
  isnumeric: every(/^\p{N}+$/u),
  isalpha: every(/^\p{L}+$/u),
  isalnum: every(/^[\p{L}\p{N}]+$/u),
  isupper: (s) => cased(s, s.toUpperCase()),
  islower: (s) => cased(s, s.toLowerCase()),
};

function partition(s: string, sep: string, last: boolean): Value {
  if (sep === '') throw new Error('empty separator');
  const at = last ? s.lastIndexOf(sep) : s.indexOf(sep);
  if (at < 0) return list((last ? ['', '', s] : [s, '', '']).map(str));
  return list([s.slice(0, at), sep, s.slice(at + sep.length)].map(str));
}
