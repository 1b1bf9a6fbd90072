/** Ways to spoil a valid body: by its schema, and by its bytes. */
import type { Draws } from './draws.ts';
import type { PostRoute } from './schema-bodies.ts';

type Body = Record<string, unknown>;

const deep = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);

/** JSON that `JSON.stringify` would not write, put in place of a value. */
const RAW_VALUES = [
  '1e999',
  '-1e999',
  '1e-999',
  '99999999999999999999999999',
  '-0',
  '0.1',
  '-1',
  '2147483648',
  '9007199254740993',
  '4294967296',
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '[1.5]',
  '[-1]',
  '[4294967297]',
  '["a",1]',
  '"\\ud800"',
  '"\\udc00x"',
  '"\\u0000"',
  '"\\ufffe\\uffff"',
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{}}}',
  '{"toString":1,"then":1}',
  `"${'x'.repeat(5000)}"`,
  `[${Array(3000).fill(7).join(',')}]`,
  `[${Array(300).fill('"a"').join(',')}]`,
  deep(50, '[', ']'),
  deep(2000, '[', ']'),
  deep(50_000, '[', ']'),
  deep(500, '{"a":', '}').replace('}', '1}'),
];

const STRANGE_NAMES = ['__proto__', 'constructor', '', ' ', 'max-tokens', 'x'.repeat(300), '\u0000', '\ud800', 'é'];

/** As text, because half of this has no form as a value. */
export function spoilBySchema(body: Body, route: PostRoute, draws: Draws): string {
  const entries = Object.entries(body).map(([name, value]) => [name, JSON.stringify(value)] as [string, string]);
  for (let spoils = 1 + draws.below(2); spoils > 0; spoils--) spoilOnce(entries, route, draws);
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

function spoilOnce(entries: [string, string][], { fields }: PostRoute, draws: Draws): void {
  const at = draws.below(entries.length);
  switch (draws.below(6)) {
    case 0:
      entries.splice(at, 1);
      return;
    case 1:
      // Twice the same name: the last one counts, by JSON.parse.
      entries.push([draws.one(fields), draws.one(RAW_VALUES)], [draws.one(fields), draws.one(RAW_VALUES)]);
      return;
    case 2:
      entries.push([draws.one(STRANGE_NAMES), draws.one(RAW_VALUES)]);
      return;
    case 3: {
      const entry = entries[at];
      if (entry) entry[1] = draws.one([`[${entry[1]}]`, `{"a":${entry[1]}}`, JSON.stringify(entry[1])]);
      return;
    }
    default: {
      const name = draws.chance(0.5) && entries[at] ? entries[at][0] : draws.one(fields);
      const there = entries.find(([other]) => other === name);
      const raw = draws.one(RAW_VALUES);
      if (there) there[1] = raw;
      else entries.push([name, raw]);
    }
  }
}

const BAD_UTF8 = [
  [0x80],
  [0xc3],
  [0xc0, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0xff, 0xfe],
  [0xe2, 0x82],
];
const STRUCTURE = [...'{}[]",:\\ntfe0-+.'].map((character) => character.charCodeAt(0));

/** Flips, drops, doubles and inserts bytes. */
export function spoilBytes(text: string, draws: Draws): Uint8Array<ArrayBuffer> {
  let bytes = Array.from(new TextEncoder().encode(text));
  for (let spoils = 1 + draws.below(4); spoils > 0; spoils--) {
    const at = draws.below(bytes.length + 1);
    switch (draws.below(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << draws.below(8));
        break;
      case 1:
        bytes.splice(at, 1 + draws.below(8));
        break;
      case 2:
        bytes.splice(at, 0, ...bytes.slice(at, at + 1 + draws.below(40)));
        break;
      case 3:
        bytes.splice(at, 0, ...draws.one(BAD_UTF8));
        break;
      case 4:
        bytes.splice(at, 0, draws.one(STRUCTURE));
        break;
      case 5:
        bytes = bytes.slice(0, at);
        break;
      default:
        bytes[at] = draws.below(256);
    }
  }
  return Uint8Array.from(bytes, (byte) => byte ?? 0);
}

export const CONTENT_TYPES = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/vnd.api+json',
  'APPLICATION/JSON',
  'json',
  '',
];
