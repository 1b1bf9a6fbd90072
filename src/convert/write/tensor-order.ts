/** Lists the tensors of a decoder with their shapes, in the order in which a forward pass reads them. */
import { ConversionError, type DecoderConfig, type Shape } from '../checkpoint.ts';

export const EMBEDDING = 'model.embed_tokens.weight';
export const LM_HEAD = 'lm_head.weight';

/** RoPE tables that old checkpoints carry; they follow from the configuration. */
const DERIVED = /\.rotary_emb\.inv_freq$/;

export interface ExpectedTensor {
  readonly name: string;
  readonly shape: Shape;
}

export function forwardOrder(config: DecoderConfig, withHead: boolean): ExpectedTensor[] {
  const { hiddenSize: d, intermediateSize: ff, headDim, vocabSize } = config;
  const q = config.numHeads * headDim;
  const kv = config.numKvHeads * headDim;
  const tensors: ExpectedTensor[] = [{ name: EMBEDDING, shape: [vocabSize, d] }];
  for (let layer = 0; layer < config.numLayers; layer++) {
    const add = (name: string, ...shape: [number] | [number, number]) =>
      tensors.push({ name: `model.layers.${layer}.${name}`, shape });
    add('input_layernorm.weight', d);
    add('self_attn.q_proj.weight', q, d);
    add('self_attn.k_proj.weight', kv, d);
    add('self_attn.v_proj.weight', kv, d);
    if (config.qkvBias) {
      add('self_attn.q_proj.bias', q);
      add('self_attn.k_proj.bias', kv);
      add('self_attn.v_proj.bias', kv);
    }
    if (config.qkNorm) {
      add('self_attn.q_norm.weight', headDim);
      add('self_attn.k_norm.weight', headDim);
    }
    add('self_attn.o_proj.weight', d, q);
    add('post_attention_layernorm.weight', d);
    add('mlp.gate_proj.weight', ff, d);
    add('mlp.up_proj.weight', ff, d);
    add('mlp.down_proj.weight', d, ff);
  }
  tensors.push({ name: 'model.norm.weight', shape: [d] });
  if (withHead) tensors.push({ name: LM_HEAD, shape: [vocabSize, d] });
  return tensors;
}

/**
 * @throws ConversionError if a tensor is missing, has another shape, or is one that the decoder has no place for
 * (leaving it out would silently be another model).
 */
export function checkTensors(expected: readonly ExpectedTensor[], found: ReadonlyMap<string, Shape>): void {
  for (const { name, shape } of expected) {
    const actual = found.get(name);
    if (actual === undefined) throw new ConversionError(`the checkpoint has no tensor ${name}`);
    if (actual.join() !== shape.join()) {
      throw new ConversionError(`${name} has shape [${actual}]; the configuration needs [${shape}]`);
    }
  }
  const known = new Set(expected.map((tensor) => tensor.name)).add(LM_HEAD);
  for (const name of found.keys()) {
    if (!known.has(name) && !DERIVED.test(name)) {
      throw new ConversionError(`${name} has no place in this architecture: the forward pass would have to learn it`);
    }
  }
}
