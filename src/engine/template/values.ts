/** Values of a template while it renders, in the classes of `@huggingface/jinja`, which does not export them. */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';

/** @huggingface/jinja's `RuntimeValue`, as far as it is used here. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
}

/** Positional arguments, then one `KeywordArgumentsValue` where there are named ones. */
type Call = (args: Value[], scope: unknown) => Value;
type Constructor<T> = new (value?: T) => Value;

function classOf<T>(expression: string): Constructor<T> {
  const program = parse(tokenize(`{% set x = ${expression} %}`));
  const scope = new Environment();
  scope.set('true', true);
  new Interpreter(scope).run(program);
  return scope.lookupVariable('x').constructor as Constructor<T>;
}

const StringValue = classOf<string>("''");
const IntegerValue = classOf<number>('1');
const FloatValue = classOf<number>('1.5');
const BooleanValue = classOf<boolean>('true');
const ArrayValue = classOf<Value[]>('[]');
const TupleValue = classOf<Value[]>('(1, 2)');
const ObjectValue = classOf<Map<string, Value>>('{}');
const FunctionValue = classOf<Call>('namespace');
const UndefinedValue = classOf<undefined>('missing');
const NullValue = new Environment().set('x', null).constructor as Constructor<null>;

export const str = (value: string) => new StringValue(value);
export const integer = (value: number) => new IntegerValue(value);
export const float = (value: number) => new FloatValue(value);
export const bool = (value: boolean) => new BooleanValue(value);
export const list = (values: readonly Value[]) => new ArrayValue([...values]);
export const tuple = (values: readonly Value[]) => new TupleValue([...values]);
export const dict = (entries: Iterable<readonly [string, Value]>) => new ObjectValue(new Map(entries));
export const func = (call: Call) => new FunctionValue(call);
export const NONE = new NullValue(null);
export const UNDEFINED = new UndefinedValue();

export const isText = (v: Value): v is Value & { value: string } => v.type === 'StringValue';
export const isList = (v: Value): v is Value & { value: Value[] } => v instanceof ArrayValue;
export const isDict = (v: Value): v is Value & { value: Map<string, Value> } => v instanceof ObjectValue;
export const isNamespace = (v: Value): v is Value & { value: Map<string, Value> } => v.type === 'NamespaceValue';
export const isFunction = (v: Value): v is Value & { value: Call } => v.type === 'FunctionValue';
export const isInteger = (v: Value): v is Value & { value: number } => v.type === 'IntegerValue';
export const isFloat = (v: Value): v is Value & { value: number } => v.type === 'FloatValue';
export const isBool = (v: Value): v is Value & { value: boolean } => v.type === 'BooleanValue';
export const isNone = (v: Value) => v.type === 'NullValue';
export const isUndefined = (v: Value) => v.type === 'UndefinedValue';

/** The name of Python's type, for errors. */
export function typeName(v: Value): string {
  const names: Readonly<Record<string, string>> = {
    StringValue: 'str',
    IntegerValue: 'int',
    FloatValue: 'float',
    BooleanValue: 'bool',
    ArrayValue: 'list',
    TupleValue: 'tuple',
    ObjectValue: 'dict',
    NamespaceValue: 'Namespace',
    FunctionValue: 'function',
    NullValue: 'NoneType',
    UndefinedValue: 'Undefined',
  };
  return names[v.type] ?? v.type;
}

/** A number; booleans are 0 and 1. Null for what is none. */
export function numeric(v: Value): number | null {
  if (isInteger(v) || isFloat(v)) return v.value;
  return isBool(v) ? Number(v.value) : null;
}

/** An integer argument. @throws Error for anything else */
export function wholeOf(v: Value): number {
  if (isInteger(v) || isBool(v)) return Number(v.value);
  throw new Error(`'${typeName(v)}' object cannot be interpreted as an integer`);
}

export function truthOf(v: Value): boolean {
  if (isList(v)) return v.value.length > 0;
  if (isDict(v)) return v.value.size > 0;
  if (isNamespace(v) || isFunction(v)) return true;
  return Boolean(v.value);
}

/** Elements of a text, a list, or the keys of a mapping. Undefined has none. */
export function elementsOf(v: Value): readonly Value[] {
  if (isList(v)) return v.value;
  if (isText(v)) return Array.from(v.value, str);
  if (isDict(v)) return Array.from(v.value.keys(), str);
  if (isUndefined(v)) return [];
  throw new Error(`'${typeName(v)}' object is not iterable`);
}

/** Arguments of a call, taken by position or by name, as in a Python signature. */
export class Arguments {
  readonly #positional: readonly Value[];
  readonly #named: ReadonlyMap<string, Value>;

  constructor(args: readonly Value[]) {
    const last = args.at(-1);
    const named = last?.type === 'KeywordArgumentsValue';
    this.#positional = named ? args.slice(0, -1) : args;
    this.#named = named ? (last.value as Map<string, Value>) : new Map();
  }

  get rest(): readonly Value[] {
    return this.#positional;
  }

  has(name: string): boolean {
    return this.#named.has(name);
  }

  /** The argument at `place`, or called `name`. */
  get(place: number, name: string): Value | undefined {
    return this.#positional[place] ?? this.#named.get(name);
  }

  /** The same, or None. */
  at(place: number, name: string): Value {
    return this.get(place, name) ?? NONE;
  }
}
