/**
 * What the converter knows of a checkpoint, whatever its file format: shapes, recorded semantics, tokenizer, and
 * tensors under Hugging Face's names. Tensors can be read by row ranges.
 */
import type { InfillFrame, ModelConfig } from '../model/config.ts';

/** Shapes and arithmetic: everything of a `ModelConfig` that a plain decoder already fixes. */
export type DecoderConfig = Pick<
  ModelConfig,
  | 'architecture'
  | 'hiddenSize'
  | 'intermediateSize'
  | 'numLayers'
  | 'numHeads'
  | 'numKvHeads'
  | 'headDim'
  | 'vocabSize'
  | 'contextLength'
  | 'rmsNormEps'
  | 'ropeTheta'
  | 'ropeScaling'
  | 'qkvBias'
  | 'qkNorm'
>;

/** Where a file does not say: in llama.cpp and in transformers' Llama, Qwen2 and Qwen3. */
export const DEFAULT_ROPE_THETA = 10_000;

/** Semantics of the diffusion, as far as something records them. Absent means: nobody said. */
export interface Semantics {
  readonly logitShift?: boolean | undefined;
  readonly contextAttention?: ModelConfig['contextAttention'] | undefined;
  readonly grid?: ModelConfig['grid'] | undefined;
  /** In tokens. */
  readonly blockLength?: number | undefined;
  /** In tokens; null decides whole blocks. */
  readonly subBlockLength?: number | null | undefined;
  readonly firstToken?: ModelConfig['firstToken'] | undefined;
  readonly stopRule?: ModelConfig['stopRule'] | undefined;
  readonly infillOrder?: InfillFrame['order'] | undefined;
  readonly decoding?: ModelConfig['decoding'] | undefined;
  readonly maskTokenId?: number | undefined;
  readonly eosTokenIds?: readonly number[] | undefined;
  readonly startTokenId?: number | undefined;
}

/** `[N, K]` for a matrix (N outputs, K inputs), `[N]` for a vector. No tensor of a decoder has another rank. */
export type Shape = readonly number[];

export interface TensorReader {
  /** Shape of every tensor, by Hugging Face name. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /**
   * Rows [start, end) of a tensor as float32, row-major; a vector has N rows of one element.
   * The array belongs to the reader and is overwritten by the next call.
   * @throws ConversionError on an unknown name or a file that ends too early.
   */
  readRows(name: string, start: number, end: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** What the special ids are resolved from. */
export interface TokenizerFacts {
  /** The whole tokenizer.json, parsed. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Id by text of every added (special or user-defined) token. */
  readonly addedTokens: ReadonlyMap<string, number>;
  /** Text that the tokenizer's own configuration names as its mask token. */
  readonly maskToken?: string | undefined;
  readonly bosTokenId?: number | undefined;
  /** Text that the tokenizer's own configuration names as its EOS. */
  readonly eosToken?: string | undefined;
  readonly chatTemplate?: ModelConfig['chatTemplate'];
  /** Ids that the file itself names as the frame of a hole. */
  readonly infillIds?: (Pick<InfillFrame, 'prefix' | 'suffix'> & Partial<InfillFrame>) | undefined;
}

/** What a family's code says of its mask, for where the files are silent. */
export interface FamilyMask {
  readonly token: string;
  readonly id?: number | undefined;
}

export interface Checkpoint {
  /** Its row in the table of families, for people. */
  readonly family: string;
  readonly familyMask?: FamilyMask | undefined;
  readonly decoder: DecoderConfig;
  readonly semantics: Semantics;
  readonly tokenizer: TokenizerFacts;
  readonly tensors: TensorReader;
}

/** The checkpoint, or what was asked of it, cannot be converted; the message names the field, tensor or flag. */
export class ConversionError extends Error {
  override readonly name = 'ConversionError';
}

/** Rows and elements per row of a shape. @throws ConversionError if it is neither of a vector nor of a matrix */
export function rowsAndColumns(shape: Shape): { rows: number; columns: number } {
  const [rows, columns = 1] = shape;
  if (rows === undefined || shape.length > 2) {
    throw new ConversionError(`shape [${shape}]: only vectors and matrices are understood`);
  }
  return { rows, columns };
}
