/** Translates GGUF's tensor names and row order to Hugging Face's. */

const TOP: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

const IN_LAYER: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** The Hugging Face name, or the GGUF name itself where there is none (refused later as an unknown tensor). */
export function huggingFaceName(name: string): string {
  const match = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name);
  const module = IN_LAYER[match?.[2] ?? ''];
  if (match === null || module === undefined) return TOP[name] ?? name;
  return `model.layers.${match[1]}.${module}.${match[3]}`;
}

/**
 * Row of a GGUF Llama's q or k that is row `row` of Hugging Face's: within each head GGUF keeps the two halves that
 * RoPE rotates against each other interleaved, [headDim/2, 2], Hugging Face one after the other, [2, headDim/2].
 */
export function interleavedRow(row: number, headDim: number): number {
  const inHead = row % headDim;
  const half = headDim / 2;
  return row - inHead + (inHead % half) * 2 + Math.floor(inHead / half);
}
