/** Python's operators. `and`, `or` and `not` stay with the library: they evaluate only what they need. */
import { compareTexts, strOf } from './text.ts';
import {
  bool,
  elementsOf,
  float,
  integer,
  isBool,
  isDict,
  isFloat,
  isList,
  isNone,
  isText,
  isUndefined,
  list,
  numeric,
  str,
  typeName,
  type Value,
} from './values.ts';

/** `a == b`: numbers by value, containers by content, anything else by type and value. */
export function equal(a: Value, b: Value): boolean {
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== null || y !== null) return x === y;
  if (isList(a) && isList(b)) {
    if (a.type !== b.type || a.value.length !== b.value.length) return false;
    return a.value.every((part, i) => equal(part, b.value[i]!));
  }
  if (isDict(a) && isDict(b)) {
    if (a.value.size !== b.value.size) return false;
    return Array.from(a.value).every(([key, part]) => {
      const other = b.value.get(key);
      return other !== undefined && equal(part, other);
    });
  }
  return a.type === b.type && a.value === b.value;
}

/** Negative, zero or positive. @throws Error where Python has no order */
export function compare(a: Value, b: Value, operator = '<'): number {
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== null && y !== null) return x - y;
  if (isText(a) && isText(b)) return compareTexts(a.value, b.value);
  if (isList(a) && isList(b) && a.type === b.type) {
    for (const [i, part] of a.value.entries()) {
      const other = b.value[i];
      if (other === undefined) return 1;
      if (!equal(part, other)) return compare(part, other, operator);
    }
    return a.value.length - b.value.length;
  }
  throw unsupported(operator, a, b);
}

/** `what in where`. */
function contains(where: Value, what: Value): boolean {
  if (isText(where)) {
    if (isText(what)) return where.value.includes(what.value);
    throw new Error(`'in <string>' requires string as left operand, not ${typeName(what)}`);
  }
  if (isDict(where)) return isText(what) && where.value.has(what.value);
  if (isList(where) || isUndefined(where)) return elementsOf(where).some((part) => equal(part, what));
  throw new Error(`argument of type '${typeName(where)}' is not iterable`);
}

/** A binary operator other than `and` and `or`. @throws Error where Python raises */
export function operate(operator: string, a: Value, b: Value): Value {
  switch (operator) {
    case '==':
      return bool(equal(a, b));
    case '!=':
      return bool(!equal(a, b));
    case 'in':
      return bool(contains(b, a));
    case 'not in':
      return bool(!contains(b, a));
    case '~':
      return str(strOf(a) + strOf(b));
  }
  if (isUndefined(a) || isUndefined(b)) throw new Error(`an undefined value in '${operator}'`);
  switch (operator) {
    case '<':
      return bool(compare(a, b, operator) < 0);
    case '<=':
      return bool(compare(a, b, operator) <= 0);
    case '>':
      return bool(compare(a, b, operator) > 0);
    case '>=':
      return bool(compare(a, b, operator) >= 0);
    case '+':
      if (isText(a) && isText(b)) return str(a.value + b.value);
      if (isList(a) && isList(b) && a.type === b.type) return list([...a.value, ...b.value]);
      break;
    case '*':
      if (isText(a) || isList(a)) return repeated(a, b);
      if (isText(b) || isList(b)) return repeated(b, a);
      break;
    case '%':
      if (isText(a)) throw new Error('formatting with % is not supported: use ~ or the filter format');
  }
  return arithmetic(operator, a, b);
}

function repeated(what: Value, times: Value): Value {
  const count = numeric(times);
  if (count === null || isFloat(times))
    throw new Error(`can't multiply sequence by non-int of type '${typeName(times)}'`);
  if (isText(what)) return str(what.value.repeat(Math.max(0, count)));
  return list(Array.from({ length: Math.max(0, count) }, () => what.value as Value[]).flat());
}

function arithmetic(operator: string, a: Value, b: Value): Value {
  const [x, y] = [numeric(a), numeric(b)];
  if (x === null || y === null) throw unsupported(operator, a, b);
  const number = (value: number) => (isFloat(a) || isFloat(b) ? float(value) : integer(value));
  if (y === 0 && ['/', '//', '%'].includes(operator)) throw new Error('division by zero');
  switch (operator) {
    case '+':
      return number(x + y);
    case '-':
      return number(x - y);
    case '*':
      return number(x * y);
    case '/':
      return float(x / y);
    case '//':
      return number(Math.floor(x / y));
    case '%':
      // The sign is that of the divisor.
      return number(x - Math.floor(x / y) * y);
    case '**':
      if (x === 0 && y < 0) throw new Error('0.0 cannot be raised to a negative power');
      return y < 0 ? float(x ** y) : number(x ** y);
  }
  throw new Error(`the operator ${operator} is not supported`);
}

function unsupported(operator: string, a: Value, b: Value): Error {
  return new Error(`'${operator}' is not supported between '${typeName(a)}' and '${typeName(b)}'`);
}

/** The tests of Jinja, with their arguments. */
export const TESTS: Readonly<Record<string, (v: Value, args: readonly Value[]) => boolean>> = {
  defined: (v) => !isUndefined(v),
  undefined: isUndefined,
  none: isNone,
  boolean: isBool,
  true: (v) => isBool(v) && v.value,
  false: (v) => isBool(v) && !v.value,
  string: isText,
  number: (v) => numeric(v) !== null,
  integer: (v) => v.type === 'IntegerValue',
  float: isFloat,
  mapping: isDict,
  sequence: (v) => isText(v) || isList(v) || isDict(v) || isUndefined(v),
  iterable: (v) => isText(v) || isList(v) || isDict(v) || isUndefined(v),
  callable: (v) => v.type === 'FunctionValue',
  odd: (v) => Math.abs(numbered(v)) % 2 === 1,
  even: (v) => numbered(v) % 2 === 0,
  lower: (v) => strOf(v) === strOf(v).toLowerCase() && strOf(v) !== strOf(v).toUpperCase(),
  upper: (v) => strOf(v) === strOf(v).toUpperCase() && strOf(v) !== strOf(v).toLowerCase(),
  divisibleby: (v, [by]) => numbered(v) % numbered(by!) === 0,
  sameas: (v, [other]) =>
    v === other || (v.type === other!.type && !isList(v) && !isDict(v) && v.value === other!.value),
  in: (v, [where]) => contains(where!, v),
  ...both((v, other) => equal(v, other), 'eq', 'equalto', '=='),
  ...both((v, other) => !equal(v, other), 'ne', '!='),
  ...both((v, other) => compare(v, other, '<') < 0, 'lt', 'lessthan', '<'),
  ...both((v, other) => compare(v, other, '<=') <= 0, 'le', '<='),
  ...both((v, other) => compare(v, other, '>') > 0, 'gt', 'greaterthan', '>'),
  ...both((v, other) => compare(v, other, '>=') >= 0, 'ge', '>='),
};

function both(test: (v: Value, other: Value) => boolean, ...names: readonly string[]) {
  return Object.fromEntries(names.map((name) => [name, (v: Value, [other]: readonly Value[]) => test(v, other!)]));
}

function numbered(v: Value): number {
  const number = numeric(v);
  if (number === null) throw new Error(`'${typeName(v)}' is not a number`);
  return number;
}
