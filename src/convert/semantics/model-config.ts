/** Builds the ModelConfig of a checkpoint: its shapes, and its semantics from flags, then files, then conventions. */
import { z } from 'zod';
import { type ModelConfig, parseModelConfig } from '../../model/config.ts';
import { type Checkpoint, ConversionError, type Semantics } from '../checkpoint.ts';
import { resolveInfillTokens } from './infill-tokens.ts';
import { resolveMaskTokenId } from './mask-token.ts';

/**
 * @param flags override what the checkpoint records
 * @throws ConversionError naming what nobody says and the flag that gives it
 */
export function resolveModelConfig(
  name: string,
  checkpoint: Pick<Checkpoint, 'decoder' | 'semantics' | 'tokenizer' | 'familyMask'>,
  flags: Semantics,
  tieWordEmbeddings: boolean,
): ModelConfig {
  const { decoder, semantics, tokenizer } = checkpoint;
  const infill = resolveInfillTokens(tokenizer);
  const eosTokenIds = flags.eosTokenIds ?? required('eos_token_id', '--eos-token-id', semantics.eosTokenIds);
  const config = {
    name,
    ...decoder,
    tieWordEmbeddings,
    maskTokenId: resolveMaskTokenId(flags.maskTokenId, semantics.maskTokenId, tokenizer, checkpoint.familyMask),
    logitShift: flags.logitShift ?? required('logit_shift', '--logit-shift or --no-logit-shift', semantics.logitShift),
    contextAttention:
      flags.contextAttention ?? required('context_attention', '--context-attention', semantics.contextAttention),
    grid: flags.grid ?? semantics.grid,
    blockLength: flags.blockLength ?? required('block_length', '--block-length', semantics.blockLength),
    ...subBlocks(flags, semantics),
    firstToken: flags.firstToken ?? semantics.firstToken,
    stopRule: flags.stopRule ?? semantics.stopRule,
    decoding: flags.decoding === undefined ? semantics.decoding : flags.decoding,
    eosTokenIds,
    // What stood before a document in training: its separator, where there is one.
    startTokenId:
      flags.startTokenId ??
      semantics.startTokenId ??
      tokenizer.addedTokens.get('<|endoftext|>') ??
      tokenizer.bosTokenId ??
      eosTokenIds[0],
    infill: infill && { ...infill, order: flags.infillOrder ?? semantics.infillOrder ?? infill.order },
    ...(tokenizer.chatTemplate && { chatTemplate: tokenizer.chatTemplate }),
  };
  for (const [text, id] of tokenizer.addedTokens) {
    if (id < decoder.vocabSize) continue;
    throw new ConversionError(`the tokenizer has ${text} as ${id}, the embedding only ${decoder.vocabSize} rows`);
  }
  try {
    return parseModelConfig(config);
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new ConversionError(`the resulting config.json is not valid: ${reason}`, { cause: error });
  }
}

function required<T>(field: string, flag: string, value: T | undefined): T {
  if (value === undefined) throw new ConversionError(`the checkpoint does not record ${field}: give it with ${flag}`);
  return value;
}

/** A block length by flag without one for its parts: the family's parts are those of its own block length. */
function subBlocks(flags: Semantics, semantics: Semantics): Pick<Semantics, 'subBlockLength'> {
  if (flags.subBlockLength !== undefined) return { subBlockLength: flags.subBlockLength };
  const { subBlockLength } = semantics;
  // Without any block length nothing is converted: 0 only spares this check an error of its own.
  const divides = subBlockLength && (flags.blockLength ?? semantics.blockLength ?? 0) % subBlockLength === 0;
  return { subBlockLength: divides ? subBlockLength : null };
}
