/** Reads shapes and semantics from a GGUF file's metadata. */
import {
  type Checkpoint,
  ConversionError,
  type DecoderConfig,
  type Semantics,
  type TokenizerFacts,
} from '../checkpoint.ts';
import { type FamilyHints, familyOf } from '../semantics/architectures.ts';
import { type Metadata, numberOf, shortest } from './metadata.ts';
import { readGgufRope } from './rope.ts';

/** GGUF's names for what Hugging Face lists under `architectures`. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  llama: 'LlamaForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
};

/** Of a document, of a turn, of a message that waits for a tool. */
const ENDS = ['eos', 'eot', 'eom'];

/**
 * @param vocabSize rows of the embedding
 * @param ropeFactors of `rope_freqs.weight`, if the file has it
 * @throws ConversionError naming the metadata key that is missing or not supported.
 */
export function parseGgufConfig(
  metadata: Metadata,
  vocabSize: number,
  ropeFactors: Float32Array | undefined,
  tokenizer: TokenizerFacts,
  hints: FamilyHints,
): Pick<Checkpoint, 'family' | 'familyMask'> & { decoder: DecoderConfig; semantics: Semantics } {
  const name = String(metadata['general.architecture']);
  const entry = ARCHITECTURES[name] ?? name;
  const family = familyOf([entry], hints);
  const architecture = family.architectures[entry]!;
  const optional = (key: string) => numberOf(metadata, key);
  const number = (key: string): number => {
    const value = optional(`${name}.${key}`);
    if (value === undefined) throw new ConversionError(`GGUF metadata: ${name}.${key} is missing or not one number`);
    return value;
  };
  refuseUnsupported(metadata, name);
  const numHeads = number('attention.head_count');
  const hiddenSize = number('embedding_length');
  const headDim = optional(`${name}.attention.key_length`) ?? hiddenSize / numHeads;
  const rotated = optional(`${name}.rope.dimension_count`) ?? headDim;
  if (rotated !== headDim) {
    throw new ConversionError(`GGUF metadata: ${name}.rope.dimension_count ${rotated} is not the head's ${headDim}`);
  }
  const contextLength = number('context_length');
  return {
    family: family.name,
    familyMask: family.mask && { token: family.mask.token, id: family.mask.id?.[architecture] },
    decoder: {
      architecture,
      hiddenSize,
      intermediateSize: number('feed_forward_length'),
      numLayers: number('block_count'),
      numHeads,
      numKvHeads: optional(`${name}.attention.head_count_kv`) ?? numHeads,
      headDim,
      vocabSize,
      contextLength,
      rmsNormEps: shortest(number('attention.layer_norm_rms_epsilon')),
      ...readGgufRope(metadata, name, headDim, contextLength, ropeFactors),
      qkvBias: architecture === 'qwen2',
      qkNorm: architecture === 'qwen3',
    },
    semantics: {
      ...family.semantics,
      maskTokenId: optional('tokenizer.ggml.mask_token_id'),
      eosTokenIds: stopIds(
        ENDS.map((end) => optional(`tokenizer.ggml.${end}_token_id`)),
        tokenizer,
      ),
    },
  };
}

/** A GGUF has room for one id of each kind; a chat model that stops there still ends a document with `<|endoftext|>`. */
function stopIds(named: readonly (number | undefined)[], { addedTokens }: TokenizerFacts): number[] | undefined {
  const ids = [addedTokens.get('<|endoftext|>'), ...named].filter((id) => id !== undefined);
  return ids.length === 0 ? undefined : [...new Set(ids)];
}

function refuseUnsupported(metadata: Metadata, name: string): void {
  const refuse = (key: string, needed: string) => {
    throw new ConversionError(`GGUF metadata: ${key} is ${String(metadata[key])}, not supported: ${needed}`);
  };
  const window = `${name}.attention.sliding_window`;
  if (metadata[window]) refuse(window, 'attention would have to drop old positions');
  const experts = `${name}.expert_count`;
  if (metadata[experts]) refuse(experts, 'a mixture of experts needs a router and its own MLP');
}
