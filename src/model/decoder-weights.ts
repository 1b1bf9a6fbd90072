/** The tensors of a decoder by their part in a forward, checked against the configuration. */
import type { ModelConfig } from './config.ts';
import { ModelLoadError } from './errors.ts';
import { draftNames, draftWidth } from './manifest.ts';
import type { Tensor, Tensors } from './weights.ts';

/** Weights of one layer. Numbers are addresses of f32 vectors. */
interface Layer {
  readonly inputNorm: number; // (hidden)
  readonly q: Tensor; // (heads * d, hidden)
  readonly k: Tensor; // (kvHeads * d, hidden)
  readonly v: Tensor; // (kvHeads * d, hidden)
  readonly qkvBias: readonly [q: number, k: number, v: number] | null;
  readonly qkNorm: readonly [q: number, k: number] | null; // (d) each
  readonly o: Tensor; // (hidden, heads * d)
  readonly postNorm: number; // (hidden)
  readonly gate: Tensor; // (intermediate, hidden)
  readonly up: Tensor; // (intermediate, hidden)
  readonly down: Tensor; // (hidden, intermediate)
  readonly drafts: LayerDrafts | null;
}

type Matrices = Omit<Layer, 'drafts'>;

/** Adapters of one layer, on mask rows alone. */
type LayerDrafts = Readonly<Record<'q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down', Adapter>>;

/** y += B A x. The scale of the training is in B. */
export interface Adapter {
  readonly a: Tensor; // (rank, K)
  /** K is the rank, filled up with zeros to whole groups. */
  readonly b: Tensor; // (N, draftWidth(rank))
}

export interface DecoderWeights {
  readonly embedding: Tensor; // (V, hidden)
  readonly layers: readonly Layer[];
  readonly finalNorm: number; // (hidden)
  readonly head: Tensor; // (V, hidden)
}

/** @throws ModelLoadError naming a tensor that is missing, or has another shape or type than the decoder needs */
export function decoderWeights(tensors: Tensors, config: ModelConfig): DecoderWeights {
  const { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim, vocabSize } = config;
  const qWidth = numHeads * headDim;
  const kvWidth = numKvHeads * headDim;

  function matrix(name: string, rows: number, k: number): Tensor {
    const tensor = tensors.get(name);
    if (!tensor) throw new ModelLoadError(`tensor ${name} is missing from manifest.json`);
    if (tensor.rows !== rows || tensor.k !== k) {
      throw new ModelLoadError(`tensor ${name} is ${tensor.rows} x ${tensor.k}, config.json asks for ${rows} x ${k}`);
    }
    return tensor;
  }

  function vector(name: string, length: number): number {
    const { type, parts } = matrix(name, length, 1);
    if (type !== 'f32' || parts.length !== 1) throw new ModelLoadError(`vector ${name} must be one f32 part`);
    return parts[0]!.data;
  }

  function layer(l: number): Layer {
    const name = (rest: string) => `model.layers.${l}.${rest}`;
    const bias = (of: string, width: number) => vector(name(`self_attn.${of}_proj.bias`), width);
    const norm = (of: string) => vector(name(`self_attn.${of}_norm.weight`), headDim);
    const weights: Matrices = {
      inputNorm: vector(name('input_layernorm.weight'), hiddenSize),
      q: matrix(name('self_attn.q_proj.weight'), qWidth, hiddenSize),
      k: matrix(name('self_attn.k_proj.weight'), kvWidth, hiddenSize),
      v: matrix(name('self_attn.v_proj.weight'), kvWidth, hiddenSize),
      qkvBias: config.qkvBias ? [bias('q', qWidth), bias('k', kvWidth), bias('v', kvWidth)] : null,
      qkNorm: config.qkNorm ? [norm('q'), norm('k')] : null,
      o: matrix(name('self_attn.o_proj.weight'), hiddenSize, qWidth),
      postNorm: vector(name('post_attention_layernorm.weight'), hiddenSize),
      gate: matrix(name('mlp.gate_proj.weight'), intermediateSize, hiddenSize),
      up: matrix(name('mlp.up_proj.weight'), intermediateSize, hiddenSize),
      down: matrix(name('mlp.down_proj.weight'), hiddenSize, intermediateSize),
    };
    requireOneType(weights.q, weights.k, weights.v);
    requireOneType(weights.gate, weights.up);
    return { ...weights, drafts: config.drafts && draftsOf(weights, name, config.drafts.rank) };
  }

  function draftsOf(weights: Matrices, name: (rest: string) => string, rank: number): LayerDrafts {
    const adapter = (of: string, base: Tensor): Adapter => {
      const names = draftNames(name(of));
      const [a, b] = [matrix(names.a, rank, base.k), matrix(names.b, base.rows, draftWidth(rank))];
      requireOneType(base, a, b);
      return { a, b };
    };
    return {
      q: adapter('self_attn.q_proj', weights.q),
      k: adapter('self_attn.k_proj', weights.k),
      v: adapter('self_attn.v_proj', weights.v),
      o: adapter('self_attn.o_proj', weights.o),
      gate: adapter('mlp.gate_proj', weights.gate),
      up: adapter('mlp.up_proj', weights.up),
      down: adapter('mlp.down_proj', weights.down),
    };
  }

  const embedding = matrix('model.embed_tokens.weight', vocabSize, hiddenSize);
  return {
    embedding,
    layers: Array.from({ length: config.numLayers }, (_, l) => layer(l)),
    finalNorm: vector('model.norm.weight', hiddenSize),
    head: config.tieWordEmbeddings ? embedding : matrix('lm_head.weight', vocabSize, hiddenSize),
  };
}

/** @throws ModelLoadError where tensors that read the same input differ in type: the input is rounded once for all */
function requireOneType(first: Tensor, ...siblings: readonly Tensor[]): void {
  const other = siblings.find((tensor) => tensor.type !== first.type);
  if (other) throw new ModelLoadError(`${first.name} is ${first.type} and ${other.name} is ${other.type}`);
}
