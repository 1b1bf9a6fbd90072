/**
 * Replaces what `@huggingface/jinja` evaluates otherwise than Jinja by calls of functions of the environment: methods,
 * filters, tests, operators, attributes, items, slices, the elements of a loop, and the text of an output.
 */
import { parse, tokenize } from '@huggingface/jinja';
import { FILTERS } from './filters.ts';
import { TESTS } from './operators.ts';

/** A node of the library's tree. It exports none of its classes. */
interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Names of the functions in the environment. No template can write them: they are no identifiers. */
export const CALLS = {
  method: '<method>',
  filter: '<filter>',
  test: '<test>',
  operator: '<operator>',
  attribute: '<attribute>',
  item: '<item>',
  slice: '<slice>',
  elements: '<elements>',
  rows: '<rows>',
  output: '<output>',
} as const;

const [sample] = (parse(tokenize("{{ f('') }}")) as unknown as { body: Node[] }).body;
const Call = sample!.constructor as new (callee: unknown, args: readonly unknown[]) => Node;
const Identifier = (sample!.callee as object).constructor as new (name: string) => Node;
const [set] = (parse(tokenize('{% set x = 1 %}')) as unknown as { body: Node[] }).body;
const Assignment = set!.constructor as new (assignee: Node, value: Node, body: readonly Node[]) => Node;
const Text = ((sample!.args as Node[])[0] as object).constructor as new (value: string) => Node;

const call = (name: string, ...args: readonly unknown[]) => new Call(new Identifier(name), args);
const word = (value: string) => new Text(value);

/** Nodes whose value a template writes where they stand alone in a body. */
const STATEMENTS: ReadonlySet<string> = new Set([
  ...['If', 'For', 'Set', 'Macro', 'CallStatement', 'FilterStatement', 'Break', 'Continue', 'Comment'],
]);

/** The tree, with these replaced. @throws Error naming a filter or a test that does not exist */
export function rewrite<T>(tree: T): T {
  return node(tree) as T;
}

function node(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(node);
  if (value instanceof Map) return new Map(Array.from(value, ([key, part]) => [node(key), node(part)]));
  if (typeof value !== 'object' || value === null || !('type' in value)) return value;
  const one = value as Node;
  switch (one.type) {
    case 'CallExpression':
      return callOf(one);
    case 'FilterExpression':
      return filterOf(one);
    case 'TestExpression':
      return testOf(one);
    case 'BinaryExpression':
      return binaryOf(one);
    case 'MemberExpression':
      return memberOf(one);
    case 'For':
      return loopOf(one);
    case 'If':
      return withFields(one, { test: node(one.test), body: body(one.body), alternate: body(one.alternate) });
    case 'Set':
      return withFields(one, { value: node(one.value), body: body(one.body) });
    case 'Macro':
      return withFields(one, { args: parameters(one.args), body: body(one.body) });
    case 'CallStatement': {
      const callee = one.call as Node;
      return withFields(one, {
        call: withFields(callee, { args: node(callee.args) }),
        callerArgs: parameters(one.callerArgs),
        body: body(one.body),
      });
    }
    case 'FilterStatement':
      return filterBlock(one);
    case 'Program':
      return withFields(one, { body: body(one.body) });
    case 'KeywordArgumentExpression':
      return withFields(one, { value: node(one.value) });
    default:
      return withFields(one, Object.fromEntries(Object.entries(one).map(([name, part]) => [name, node(part)])));
  }
}

/** A copy of the same class: the library looks at classes too. */
function withFields(one: Node, fields: Readonly<Record<string, unknown>>): Node {
  return Object.assign(Object.create(Object.getPrototypeOf(one)), one, fields);
}

/** Statements as they are; an expression is written as Python would print it. */
function body(nodes: unknown): unknown {
  if (!Array.isArray(nodes)) return nodes;
  return nodes.flatMap((one: Node) => {
    if (one.type === 'For') return [...outerValues(one), node(one)];
    if (STATEMENTS.has(one.type) || one.type === 'StringLiteral') return node(one);
    return call(CALLS.output, node(one));
  });
}

/** Parameters of a macro: names stay, defaults are expressions. */
function parameters(args: unknown): unknown {
  return Array.isArray(args) ? args.map((one: Node) => (one.type === 'Identifier' ? one : node(one))) : args;
}

function callOf(one: Node): Node {
  const callee = one.callee as Node;
  const args = node(one.args) as Node[];
  const property = callee.property as Node | undefined;
  if (callee.type !== 'MemberExpression' || callee.computed || property?.type !== 'Identifier') {
    return withFields(one, { callee: node(callee), args });
  }
  return call(CALLS.method, word(property.value as string), node(callee.object), ...args);
}

function filterOf(one: Node): Node {
  const { name, args } = namedCall(one.filter as Node);
  if (!Object.hasOwn(FILTERS, name)) throw new Error(`the filter ${name} is not supported`);
  return call(CALLS.filter, word(name), node(one.operand), ...args);
}

/** A filter, with or without arguments. */
function namedCall(filter: Node): { name: string; args: readonly Node[] } {
  if (filter.type === 'Identifier') return { name: filter.value as string, args: [] };
  return { name: (filter.callee as Node).value as string, args: node(filter.args) as Node[] };
}

/** `{% filter f %}...{% endfilter %}`: the library applies its own filter to the text, and agrees on a few only. */
function filterBlock(one: Node): Node {
  const { name } = namedCall(one.filter as Node);
  if (!['upper', 'lower', 'safe', 'string'].includes(name))
    throw new Error(`a block of the filter ${name} is not supported`);
  return withFields(one, { body: body(one.body) });
}

function testOf(one: Node): Node {
  const name = (one.test as Node).value as string;
  if (!Object.hasOwn(TESTS, name)) throw new Error(`the test ${name} is not supported`);
  return call(CALLS.test, word(one.negate ? 'not' : ''), word(name), node(one.operand));
}

function binaryOf(one: Node): Node {
  const operator = (one.operator as Node).value as string;
  if (operator === 'and' || operator === 'or') return withFields(one, { left: node(one.left), right: node(one.right) });
  return call(CALLS.operator, word(operator), node(one.left), node(one.right));
}

function memberOf(one: Node): Node {
  const object = node(one.object);
  const property = one.property as Node;
  if (property.type === 'SliceExpression') {
    const part = (value: unknown) => (value === undefined ? new Identifier('none') : node(value));
    return call(CALLS.slice, object, part(property.start), part(property.stop), part(property.step));
  }
  if (one.computed || property.type !== 'Identifier') return call(CALLS.item, object, node(property));
  return call(CALLS.attribute, object, word(property.value as string));
}

/**
 * A loop. In Jinja every iteration has a scope of its own. In the library all iterations share one, so each begins with the
 * values that its variables had before the loop.
 */
function loopOf(one: Node): Node {
  requireNoLostText(one);
  const resets = ownVariables(one).map((name) => assignment(name, new Identifier(outerName(name))));
  return withFields(one, {
    iterable: iterableOf(
      one.iterable as Node,
      (one.loopvar as Node).type === 'TupleLiteral' ? CALLS.rows : CALLS.elements,
    ),
    body: [...resets, ...(body(one.body) as Node[])],
    defaultBlock: body(one.defaultBlock),
  });
}

/** Keeps the values from before a loop. */
function outerValues(loop: Node): Node[] {
  return ownVariables(loop).map((name) => assignment(outerName(name), new Identifier(name)));
}

const outerName = (name: string) => `<outer> ${name}`;
const assignment = (name: string, value: Node) => new Assignment(new Identifier(name), value, []);

/** Plain variables that a loop's body sets in its own scope, the loop's variables apart. */
function ownVariables(loop: Node): string[] {
  const taken = new Set(names(loop.loopvar as Node));
  return [...new Set(assigned(loop.body as Node[]))].filter((name) => !taken.has(name));
}

function names(target: Node): string[] {
  if (target.type === 'TupleLiteral') return (target.value as Node[]).flatMap(names);
  return target.type === 'Identifier' ? [target.value as string] : [];
}

function assigned(nodes: readonly Node[]): string[] {
  return nodes.flatMap((one) => {
    if (one.type === 'Set') return names(one.assignee as Node);
    if (one.type === 'If') return [...assigned(one.body as Node[]), ...assigned(one.alternate as Node[])];
    return [];
  });
}

/** The library forgets what an iteration has written before `break` or `continue`, and does not tell them from an end. */
function requireNoLostText(loop: Node): void {
  const jumps = leaves(loop.body as Node[], false);
  if (jumps === 'after text') throw new Error('break or continue after text of the same iteration is not supported');
  if (jumps === 'at once' && (loop.defaultBlock as Node[]).length > 0) {
    throw new Error('break or continue in a loop with else is not supported');
  }
}

type Leaves = 'never' | 'at once' | 'after text';

/** @param wrote the iteration has written something already */
function leaves(nodes: readonly Node[], wrote: boolean): Leaves {
  let [found, written]: [Leaves, boolean] = ['never', wrote];
  for (const one of nodes) {
    if (one.type === 'Break' || one.type === 'Continue') return written ? 'after text' : 'at once';
    if (one.type === 'If') {
      for (const branch of [one.body, one.alternate] as Node[][]) {
        const inner = leaves(branch, written);
        if (inner === 'after text') return inner;
        if (inner === 'at once') found = inner;
      }
    }
    written ||=
      one.type === 'StringLiteral' ? one.value !== '' : !['Set', 'Macro', 'Comment'].includes(one.type) && writes(one);
  }
  return found;
}

/** Whether a statement may write text. */
function writes(one: Node): boolean {
  if (one.type !== 'If') return true;
  return [...(one.body as Node[]), ...(one.alternate as Node[])].some((inner) => {
    if (inner.type === 'StringLiteral') return inner.value !== '';
    return !['Set', 'Macro', 'Comment', 'Break', 'Continue'].includes(inner.type) && writes(inner);
  });
}

/** @param elements what the loop runs over: values, or rows of several */
function iterableOf(one: Node, elements: string): Node {
  if (one.type !== 'SelectExpression') return call(elements, node(one));
  return withFields(one, { lhs: call(elements, node(one.lhs)), test: node(one.test) });
}
