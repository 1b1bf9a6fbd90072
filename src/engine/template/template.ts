/** Chat templates, rendered as transformers renders them: `apply_chat_template` in version 5. */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { applyFilter } from './filters.ts';
import { attribute, callMethod, item, slice } from './members.ts';
import { operate, TESTS } from './operators.ts';
import { CALLS, rewrite } from './rewrite.ts';
import { strOf } from './text.ts';
import { bool, dict, elementsOf, func, integer, list, str, UNDEFINED, type Value, wholeOf } from './values.ts';

type Program = ReturnType<typeof parse>;

/** Variables by name, with values as JSON has them. */
export type TemplateVariables = Readonly<Record<string, unknown>>;

/** What a template says with `raise_exception`. */
export class TemplateRefusal extends Error {}

/**
 * Elements that all loops of one rendering go through at most. The messages of a full context take a few thousand. A
 * template that loops in loops would keep everybody waiting.
 */
const MOST_ELEMENTS = 200_000;
/** Of the rendering under way, which nothing interrupts. */
let elementsLeft = MOST_ELEMENTS;

function counted(values: Value[]): Value[] {
  elementsLeft -= values.length;
  if (elementsLeft < 0) throw new Error(`its loops have more than ${MOST_ELEMENTS} elements`);
  return values;
}

/** transformers marks what an assistant wrote with this block. It changes nothing in the text. */
const GENERATION = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g;

export class ChatTemplate {
  readonly #program: Program;

  /** @throws Error saying what in the template is no Jinja, or is not supported */
  constructor(source: string) {
    // Jinja reads every line ending as a line feed.
    const unix = source.replace(/\r\n?/g, '\n');
    const plain = unix.replace(
      GENERATION,
      (_, before, end, after) => `{%${before} ${end ? 'endif' : 'if true'} ${after}%}`,
    );
    this.#program = rewrite(parse(tokenize(plain, { lstrip_blocks: true, trim_blocks: true })));
  }

  /** @throws TemplateRefusal in the template's own words, Error where Jinja raises one */
  render(variables: TemplateVariables): string {
    elementsLeft = MOST_ELEMENTS;
    const scope = new Environment();
    for (const [name, value] of Object.entries(GLOBALS)) scope.setVariable(name, value as never);
    for (const [name, value] of Object.entries(CONSTANTS)) scope.set(name, value);
    for (const [name, value] of Object.entries(variables)) scope.setVariable(name, new Environment().set(name, value));
    return (new Interpreter(scope).run(this.#program) as unknown as { value: string }).value;
  }
}

const CONSTANTS = { true: true, True: true, false: false, False: false, none: null, None: null };

const GLOBALS: Readonly<Record<string, Value>> = {
  [CALLS.method]: func(([name, object, ...args], scope) => callMethod(strOf(name!), object!, args, scope)),
  [CALLS.filter]: func(([name, operand, ...args]) => applyFilter(strOf(name!), operand!, args)),
  [CALLS.test]: func(([not, name, operand]) => bool(TESTS[strOf(name!)]!(operand!, []) !== (strOf(not!) === 'not'))),
  [CALLS.operator]: func(([operator, left, right]) => operate(strOf(operator!), left!, right!)),
  [CALLS.attribute]: func(([object, name]) => attribute(object!, strOf(name!))),
  [CALLS.item]: func(([object, key]) => item(object!, key!)),
  [CALLS.slice]: func(([object, start, stop, step]) => slice(object!, start!, stop!, step!)),
  [CALLS.elements]: func(([value]) => list(counted([...elementsOf(value!)]))),
  // The library unpacks lists, and no tuples.
  [CALLS.rows]: func(([value]) => list(counted([...elementsOf(value!)]).map((row) => list(elementsOf(row))))),
  [CALLS.output]: func(([value]) => str(strOf(value!))),
  dict: func(([named]) => dict((named?.value as Map<string, Value> | undefined) ?? [])),
  raise_exception: func(([message]) => {
    throw new TemplateRefusal(strOf(message ?? UNDEFINED));
  }),
  strftime_now: func(([format]) => str(strftime(strOf(format!), new Date()))),
  range: func((args) => {
    const [from, to] = args.length > 1 ? [args[0]!, args[1]!] : [integer(0), args[0]!];
    const by = wholeOf(args[2] ?? integer(1));
    const values: Value[] = [];
    const count = Math.ceil((wholeOf(to) - wholeOf(from)) / by);
    if (count > MOST_ELEMENTS) throw new Error(`range() has more than ${MOST_ELEMENTS} elements`);
    for (let i = wholeOf(from); by > 0 ? i < wholeOf(to) : i > wholeOf(to); i += by) values.push(integer(i));
    return list(values);
  }),
};

const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** Python's `strftime` in the C locale. A directive that is not in the table stays as it is. */
function strftime(format: string, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const [month, day] = [MONTHS[now.getMonth()]!, DAYS[now.getDay()]!];
  const hour = now.getHours() % 12 || 12;
  const directives: Readonly<Record<string, string>> = {
    Y: String(now.getFullYear()),
    y: two(now.getFullYear() % 100),
    m: two(now.getMonth() + 1),
    d: two(now.getDate()),
    e: String(now.getDate()).padStart(2, ' '),
    H: two(now.getHours()),
    I: two(hour),
    M: two(now.getMinutes()),
    S: two(now.getSeconds()),
    p: now.getHours() < 12 ? 'AM' : 'PM',
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    '%': '%',
  };
  return format
    .replaceAll('%F', '%Y-%m-%d')
    .replaceAll('%T', '%H:%M:%S')
    .replace(/%(-?)([A-Za-z%])/g, (whole, bare: string, name: string) => {
      const written = directives[name];
      return written === undefined ? whole : bare ? written.replace(/^[0 ]+(?=.)/, '') : written;
    });
}
