/** Writes an ONNX graph node by node. Field numbers are those of onnx.proto3. */
import { Message } from './protobuf.ts';

export const FLOAT = 1;
export const UINT8 = 2;
export const INT64 = 7;
export const FLOAT16 = 10;
export type OnnxType = typeof FLOAT | typeof UINT8 | typeof INT64 | typeof FLOAT16;

/** A version of the file format that has every feature used here. */
const IR_VERSION = 10;
const OPSET = 21;
export const MICROSOFT = 'com.microsoft';

const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;
const LOCATION_EXTERNAL = 1;

/** Length of an axis, or a name if each run sets the length. */
export type Dimension = string | number;

/** Place of an initializer's bytes outside the graph. */
export interface External {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

export interface NodeOptions {
  /** Whole numbers from 0 or lists of them, and floats as `{ float }`. */
  readonly attributes?: Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;
  readonly domain?: typeof MICROSOFT;
  /** Name of the output, for outputs of the graph. */
  readonly name?: string;
}

export class GraphBuilder {
  readonly #graph = new Message();
  readonly #constants = new Map<string, string>();
  #names = 0;

  input(name: string, type: OnnxType, shape: readonly Dimension[]): string {
    this.#graph.message(11, valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: OnnxType, shape: readonly Dimension[]): void {
    this.#graph.message(12, valueInfo(name, type, shape));
  }

  /** A node of one output. An empty input name leaves an optional input out. */
  op(type: string, inputs: readonly string[], options: NodeOptions = {}): string {
    const output = options.name ?? this.#name();
    this.#node(type, inputs, [output], options);
    return output;
  }

  /** A node of several outputs. Only the outputs whose indices are in `wanted` get names. @returns these names */
  outputs(type: string, inputs: readonly string[], wanted: readonly number[], options: NodeOptions): string[] {
    const all = Array.from({ length: Math.max(...wanted) + 1 }, (_, i) => (wanted.includes(i) ? this.#name() : ''));
    this.#node(type, inputs, all, options);
    return wanted.map((i) => all[i] ?? '');
  }

  floats(values: readonly number[] | Float32Array, shape: readonly number[] = [values.length]): string {
    return this.#inline(FLOAT, shape, new Uint8Array(Float32Array.from(values).buffer));
  }

  integers(...values: readonly number[]): string {
    return this.#inline(INT64, [values.length], new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  external(name: string, type: OnnxType, shape: readonly number[], { location, offset, length }: External): string {
    const tensor = tensorOf(name, type, shape).integer(14, LOCATION_EXTERNAL);
    for (const [key, value] of Object.entries({ location, offset, length })) {
      tensor.message(13, new Message().text(1, key).text(2, String(value)));
    }
    this.#graph.message(5, tensor);
    return name;
  }

  /** The bytes of the model (ModelProto). */
  finish(name: string): Uint8Array {
    this.#graph.text(2, name);
    const opset = (domain: string, version: number) => new Message().text(1, domain).integer(2, version);
    return new Message()
      .integer(1, IR_VERSION)
      .text(2, 'seedling')
      .message(7, this.#graph)
      .message(8, opset('', OPSET))
      .message(8, opset(MICROSOFT, 1))
      .finish();
  }

  /** Equal constants share one initializer. */
  #inline(type: OnnxType, shape: readonly number[], bytes: Uint8Array): string {
    const key = `${type} ${shape} ${bytes}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#name();
    this.#graph.message(5, tensorOf(name, type, shape).bytes(9, bytes));
    this.#constants.set(key, name);
    return name;
  }

  #node(type: string, inputs: readonly string[], outputs: readonly string[], options: NodeOptions): void {
    const node = new Message();
    for (const name of inputs) node.text(1, name);
    for (const name of outputs) node.text(2, name);
    node.text(3, this.#name()).text(4, type);
    for (const [name, value] of Object.entries(options.attributes ?? {})) {
      const attribute = new Message().text(1, name);
      if (typeof value === 'number') attribute.integer(3, value).integer(20, ATTRIBUTE_INT);
      else if ('float' in value) attribute.float(2, value.float).integer(20, ATTRIBUTE_FLOAT);
      else {
        for (const one of value) attribute.integer(8, one);
        attribute.integer(20, ATTRIBUTE_INTS);
      }
      node.message(5, attribute);
    }
    if (options.domain) node.text(7, options.domain);
    this.#graph.message(1, node);
  }

  #name(): string {
    return `n${this.#names++}`;
  }
}

function tensorOf(name: string, type: OnnxType, shape: readonly number[]): Message {
  const tensor = new Message();
  for (const dimension of shape) tensor.integer(1, dimension);
  return tensor.integer(2, type).text(8, name);
}

function valueInfo(name: string, type: OnnxType, shape: readonly Dimension[]): Message {
  const dimensions = new Message();
  for (const dimension of shape) {
    const one = new Message();
    dimensions.message(1, typeof dimension === 'number' ? one.integer(1, dimension) : one.text(2, dimension));
  }
  const tensor = new Message().integer(1, type).message(2, dimensions);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
