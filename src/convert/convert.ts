/**
 * Converts a checkpoint to a model directory (models/README.md). It holds a few million weights at a time, whatever
 * the model's size.
 */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorType } from '../model/manifest.ts';
import { AdaptedTensors } from './adapter/adapted-tensors.ts';
import { type Checkpoint, ConversionError, type Semantics } from './checkpoint.ts';
import { type Decided, storedTypes } from './decisions.ts';
import { isConverted, openConverted } from './drafts/converted-source.ts';
import { giveDrafts } from './drafts/give-drafts.ts';
import { openGguf } from './gguf/checkpoint.ts';
import { openHuggingFace } from './hf/checkpoint.ts';
import { resolveModelConfig } from './semantics/model-config.ts';
import { tryModel } from './trial/try-model.ts';
import { checkTokenizer } from './trial/written-model.ts';
import { type ClassError, ErrorReport } from './write/error-report.ts';
import { planLayout, SHARD_LIMIT } from './write/layout.ts';
import { type WrittenModel, writeModelFiles } from './write/model-files.ts';
import { replaceModel } from './write/output-directory.ts';
import type { ShardEntry } from './write/shard-writer.ts';
import { checkTensors, EMBEDDING, forwardOrder, LM_HEAD } from './write/tensor-order.ts';
import { headIsTied } from './write/tied-head.ts';
import { writeWeights } from './write/weights.ts';

/** A few MB of floats. */
const WEIGHTS_PER_READ = 1 << 20;

export interface ConvertOptions {
  readonly name: string;
  /** The directory in which `name` is made. */
  readonly out: string;
  /** Matrices of the layers. */
  readonly dtype: TensorType;
  /** The embedding and the LM head. */
  readonly embedding: TensorType;
  readonly semantics: Semantics;
  /** An adapter of `python -m recipe drafts`, for rows of the mask token. */
  readonly drafts?: string | undefined;
  /** The row of the table of families, where the checkpoint's files do not say. */
  readonly family?: string | undefined;
  /** Directory of a PEFT adapter that is merged into the weights. */
  readonly adapter?: string | undefined;
  /** Shards stay under this many bytes. */
  readonly shardLimit?: number;
  /** Most weights read at once (a row at least). */
  readonly weightsPerRead?: number;
}

export interface Conversion extends Decided {
  readonly family: string;
  readonly directory: string;
  readonly shards: readonly ShardEntry[];
  readonly errors: readonly ClassError[];
}

/** @throws ConversionError if `source` is neither a directory nor a .gguf file, or cannot be converted. */
export async function openCheckpoint(source: string, family?: string): Promise<Checkpoint> {
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory()) return openHuggingFace(source, family);
  if (found?.isFile() && source.endsWith('.gguf')) return openGguf(source, family);
  throw new ConversionError(`${source} is neither a Hugging Face directory nor a .gguf file`);
}

/** @throws ConversionError; then the old model, or none, is in place. */
export async function convertCheckpoint(checkpoint: Checkpoint, options: ConvertOptions): Promise<Conversion> {
  const { name, dtype, embedding, shardLimit = SHARD_LIMIT, weightsPerRead = WEIGHTS_PER_READ } = options;
  const { tensors } = checkpoint;
  // What can be refused is refused before the first weight is read.
  const { maskTokenId } = resolveModelConfig(name, checkpoint, options.semantics, true);
  checkTokenizer(checkpoint.tokenizer.json, maskTokenId);
  checkTensors(forwardOrder(checkpoint.decoder, tensors.shapes.has(LM_HEAD)), tensors.shapes);
  const tied = await headIsTied(tensors, weightsPerRead);
  const created = Math.floor(Date.now() / 1000);
  const config = { ...resolveModelConfig(name, checkpoint, options.semantics, tied), created };
  const layout = planLayout(
    forwardOrder(config, !tied).map(({ name, shape }) => {
      const matrix = name === EMBEDDING || name === LM_HEAD ? embedding : dtype;
      return { name, type: shape.length === 1 ? 'f32' : matrix, shape };
    }),
    shardLimit,
  );

  const report = new ErrorReport();
  const written = await writeModel(options, report, async (partial) => {
    const shards = await writeWeights(partial, layout, tensors, weightsPerRead, report);
    await writeFile(join(partial, 'tokenizer.json'), JSON.stringify(checkpoint.tokenizer.json));
    return { config, shards, tensors: layout.tensors };
  });
  const tokens = new Map([...checkpoint.tokenizer.addedTokens].map(([text, id]) => [id, text]));
  return { family: checkpoint.family, ...written, tokens, errors: report.classes() };
}

/** Gives drafts to a model that is converted already. Its weights are copied as they are. */
async function convertAgain(source: string, options: ConvertOptions): Promise<Conversion> {
  if (options.drafts === undefined) {
    throw new ConversionError(`${source} is a converted model already; --drafts FILE gives it adapters`);
  }
  const model = await openConverted(source, options.name);
  const report = new ErrorReport();
  const written = await writeModel(options, report, async (partial) => {
    await model.copyTo(partial);
    return model;
  });
  return { family: 'a converted model', ...written, tokens: model.tokens, errors: report.classes() };
}

/**
 * Puts a model in place once it is whole and loads as a server would load it.
 * @param base writes shards and tokenizer.json
 */
async function writeModel(
  { out, name, drafts, shardLimit = SHARD_LIMIT, weightsPerRead = WEIGHTS_PER_READ }: ConvertOptions,
  report: ErrorReport,
  base: (partial: string) => Promise<WrittenModel>,
): Promise<Pick<Conversion, 'directory' | 'config' | 'types' | 'shards'>> {
  let model: WrittenModel | undefined;
  const directory = await replaceModel(out, name, async (partial) => {
    model = await base(partial);
    if (drafts !== undefined) model = await giveDrafts(partial, model, drafts, shardLimit, weightsPerRead, report);
    await writeModelFiles(partial, model);
    await tryModel(partial);
  });
  const { config, shards, tensors } = model!;
  return { directory, config, types: storedTypes(tensors), shards };
}

/** Opens, converts and closes. */
export async function convert(source: string, options: ConvertOptions): Promise<Conversion> {
  if (await isConverted(source)) return convertAgain(source, options);
  const checkpoint = await openCheckpoint(source, options.family);
  const { adapter } = options;
  if (adapter === undefined) return convertAndClose(checkpoint, options);
  const tensors = await AdaptedTensors.open(checkpoint.tensors, adapter).catch(async (error) => {
    await checkpoint.tensors.close();
    throw error;
  });
  const conversion = await convertAndClose({ ...checkpoint, tensors }, options);
  return { ...conversion, adapter: `${adapter}: ${tensors.summary}` };
}

async function convertAndClose(checkpoint: Checkpoint, options: ConvertOptions): Promise<Conversion> {
  try {
    return await convertCheckpoint(checkpoint, options);
  } finally {
    await checkpoint.tensors.close();
  }
}
