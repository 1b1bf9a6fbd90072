/**
 * The one table of checkpoint families: which decoder an `architectures` entry is, and what its own code fixes that
 * its files do not say. Nothing else in the converter knows a family's name.
 */
import type { ModelConfig } from '../model/config.ts';
import { ConversionError, type Semantics } from './checkpoint.ts';

export interface Family {
  readonly architecture: ModelConfig['architecture'];
  /** Used where neither a flag nor the checkpoint's files say. */
  readonly semantics: Semantics;
}

/** An autoregressive checkpoint to start from: row i-1 predicts i, and everything is causal. */
const AUTOREGRESSIVE: Semantics = { logitShift: true, contextAttention: 'causal', blockLength: 8 };

const FAMILIES: Readonly<Record<string, Family>> = {
  LlamaForCausalLM: { architecture: 'llama', semantics: AUTOREGRESSIVE },
  Qwen2ForCausalLM: { architecture: 'qwen2', semantics: AUTOREGRESSIVE },
  Qwen3ForCausalLM: { architecture: 'qwen3', semantics: AUTOREGRESSIVE },
};

/** @throws ConversionError if `architectures` is not in the table. */
export function familyOf(architectures: readonly string[]): Family {
  const family = architectures.length === 1 ? FAMILIES[architectures[0]!] : undefined;
  if (family === undefined) {
    throw new ConversionError(
      `config.json: architectures ${JSON.stringify(architectures)} is not supported; it would need a row in the ` +
        `converter's table and, if its arithmetic is not one of these, a forward pass (${Object.keys(FAMILIES).join(', ')})`,
    );
  }
  return family;
}
