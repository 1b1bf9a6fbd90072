/** Attributes, items, slices and methods, as Jinja and Python find them. */

import { equal } from './operators.ts';
import { STRING_METHODS } from './strings.ts';
import {
  Arguments,
  dict,
  func,
  integer,
  isBool,
  isDict,
  isFunction,
  isInteger,
  isList,
  isNamespace,
  isNone,
  isText,
  isUndefined,
  list,
  NONE,
  str,
  tuple,
  typeName,
  UNDEFINED,
  type Value,
  wholeOf,
} from './values.ts';

type Method = (object: Value, args: Arguments) => Value;

const DICT_METHODS: Readonly<Record<string, (entries: Map<string, Value>, args: Arguments) => Value>> = {
  get: (entries, args) => {
    const key = args.at(0, 'key');
    return (isText(key) ? entries.get(key.value) : undefined) ?? args.get(1, 'default') ?? NONE;
  },
  items: (entries) => list(Array.from(entries, ([key, value]) => tuple([str(key), value]))),
  keys: (entries) => list(Array.from(entries.keys(), str)),
  values: (entries) => list([...entries.values()]),
  copy: (entries) => dict(entries),
};

const LIST_METHODS: Readonly<Record<string, (values: readonly Value[], args: Arguments) => Value>> = {
  index: (values, args) => {
    const at = values.findIndex((value) => equal(value, args.at(0, 'value')));
    if (at < 0) throw new Error('the value is not in list');
    return integer(at);
  },
  count: (values, args) => integer(values.filter((value) => equal(value, args.at(0, 'value'))).length),
  copy: (values) => list(values),
};

/** Methods that change their object: transformers renders in a sandbox that forbids them. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  ...['append', 'extend', 'insert', 'pop', 'remove', 'clear', 'sort', 'reverse', 'update', 'setdefault', 'popitem'],
]);

function methodOf(object: Value, name: string): Method | null {
  if (isText(object)) {
    const method = STRING_METHODS[name];
    return Object.hasOwn(STRING_METHODS, name) ? (v, args) => method!(v.value as string, args) : null;
  }
  if (isDict(object)) {
    const method = DICT_METHODS[name];
    return Object.hasOwn(DICT_METHODS, name) ? (v, args) => method!(v.value as Map<string, Value>, args) : null;
  }
  if (isList(object)) {
    const method = LIST_METHODS[name];
    return Object.hasOwn(LIST_METHODS, name) ? (v, args) => method!(v.value as Value[], args) : null;
  }
  return null;
}

/** `loop` of a for block: the library makes it a mapping without methods. */
function isLoop(object: Value): object is Value & { value: Map<string, Value> } {
  return isDict(object) && object.value.has('revindex0') && object.value.has('index0');
}

/** `object.name(...args)`. @throws Error where there is no such method */
export function callMethod(name: string, object: Value, args: readonly Value[], scope: unknown): Value {
  if (isLoop(object) && name === 'cycle') {
    return args[wholeOf(object.value.get('index0')!) % args.length] ?? UNDEFINED;
  }
  const method = methodOf(object, name);
  if (method) return method(object, new Arguments(args));
  if ((isList(object) || isDict(object)) && FORBIDDEN.has(name)) {
    throw new Error(`access to attribute '${name}' of '${typeName(object)}' object is unsafe`);
  }
  const member = attribute(object, name);
  if (isFunction(member)) return member.value([...args], scope);
  if (isUndefined(member)) throw new Error(`'${typeName(object)} object' has no attribute '${name}'`);
  throw new Error(`'${typeName(member)}' object is not callable`);
}

/** `object.name`: a method first, then the item of that name. */
export function attribute(object: Value, name: string): Value {
  if (isUndefined(object)) throw new Error(`an undefined value has no attribute '${name}'`);
  if (isNamespace(object)) return object.value.get(name) ?? UNDEFINED;
  if (isLoop(object)) return object.value.get(name) ?? UNDEFINED;
  const method = methodOf(object, name);
  if (method) return func((args) => method(object, new Arguments(args)));
  return isDict(object) ? (object.value.get(name) ?? UNDEFINED) : UNDEFINED;
}

/** `object[key]`: the item first, then the attribute of that name. */
export function item(object: Value, key: Value): Value {
  if (isUndefined(object)) throw new Error('an undefined value has no items');
  if ((isList(object) || isText(object)) && (isInteger(key) || isBool(key))) {
    const values = isList(object) ? object.value : Array.from(object.value, str);
    return values.at(Number(key.value)) ?? UNDEFINED;
  }
  if (!isText(key)) return UNDEFINED;
  if (isDict(object) && object.value.has(key.value)) return object.value.get(key.value)!;
  return attribute(object, key.value);
}

/** `object[start:stop:step]`. @throws Error for what has no order */
export function slice(object: Value, start: Value, stop: Value, step: Value): Value {
  if (!isText(object) && !isList(object)) throw new Error(`'${typeName(object)}' object is not subscriptable`);
  const values: readonly Value[] = isText(object) ? Array.from(object.value, str) : object.value;
  const by = isNone(step) ? 1 : wholeOf(step);
  if (by === 0) throw new Error('slice step cannot be zero');
  const { length } = values;
  const bound = (v: Value, none: number) => {
    if (isNone(v)) return none;
    const at = wholeOf(v) < 0 ? wholeOf(v) + length : wholeOf(v);
    return by > 0 ? Math.min(Math.max(at, 0), length) : Math.min(Math.max(at, -1), length - 1);
  };
  const from = bound(start, by > 0 ? 0 : length - 1);
  const to = bound(stop, by > 0 ? length : -1);
  const taken: Value[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) taken.push(values[i]!);
  return isText(object) ? str(taken.map((part) => part.value).join('')) : list(taken);
}
