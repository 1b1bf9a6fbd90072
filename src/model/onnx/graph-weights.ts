/** The weights of a graph as initializers, each written once. */
import { ModelLoadError } from '../errors.ts';
import { GROUP, rowsAndLength } from '../manifest.ts';
import type { StoredTensor } from './external-data.ts';
import { type External, FLOAT, FLOAT16, type GraphBuilder, UINT8 } from './graph-builder.ts';

export class GraphWeights {
  readonly #graph: GraphBuilder;
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  /** Element type of activations. */
  readonly #type: typeof FLOAT | typeof FLOAT16;
  readonly #placed = new Map<string, string>(); // key -> name of the initializer

  constructor(graph: GraphBuilder, tensors: ReadonlyMap<string, StoredTensor>, type: typeof FLOAT | typeof FLOAT16) {
    this.#graph = graph;
    this.#tensors = tensors;
    this.#type = type;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** @throws ModelLoadError naming the tensor. */
  tensor(name: string): StoredTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new ModelLoadError(`manifest.json has no tensor ${name}`);
    return tensor;
  }

  /** Names of a matrix's initializers. Quantized data is (N, K / 32, bytes of 32). */
  matrix(name: string): { data: string; scales: string } {
    const graph = this.#graph;
    const tensor = this.tensor(name);
    const { type, data, scales } = tensor;
    const { rows: n, k } = rowsAndLength(tensor);
    if (scales === null) return { data: this.vector(name), scales: '' };
    const bytes = type === 'int4' ? GROUP / 2 : GROUP;
    return {
      data: this.#once(name, () => graph.external(name, UINT8, [n, k / GROUP, bytes], data)),
      scales: this.#once(`${name}.scales`, () => {
        const stored = graph.external(`${name}.scales`, FLOAT16, [n, k / GROUP], scales);
        // A cast of a constant is folded when the session is created.
        return this.#type === FLOAT16 ? stored : graph.op('Cast', [stored], { attributes: { to: FLOAT } });
      }),
    };
  }

  /** An f32 tensor in the type of the activations. */
  vector(name: string): string {
    const { shape, data } = this.tensor(name);
    return this.#once(name, () => this.#cast(this.#graph.external(name, FLOAT, shape, data)));
  }

  #cast(x: string): string {
    return this.#type === FLOAT ? x : this.#graph.op('Cast', [x], { attributes: { to: FLOAT16 } });
  }

  scalar(value: number): string {
    return this.#once(`scalar ${value}`, () => this.#cast(this.#graph.floats([value], [1])));
  }

  /** Float32 constants of a table, in the type of the activations. */
  constant(name: string, shape: readonly number[], region: External): string {
    return this.#once(name, () => this.#cast(this.#graph.external(name, FLOAT, shape, region)));
  }

  #once(key: string, make: () => string): string {
    const known = this.#placed.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#placed.set(key, made);
    return made;
  }
}
