/** A hole between a prefix and a suffix, as the model was trained to see one. */
import type { InfillTokens, ModelConfig } from '../model/config.ts';
import { RequestError } from './request.ts';

/**
 * Prefix, suffix, then the marker after which the hole's content is written. The three parts are tokenized apart, as in
 * training, where they were cut at any character: so the hole may begin and end inside a token.
 * Bavarian et al. 2022 (arXiv 2207.14255), section 3: prefix-suffix-middle.
 * @returns (P)
 */
export function infillPrompt(prefix: Int32Array, suffix: Int32Array, tokens: InfillTokens): Int32Array {
  // Not as arguments: a long text would overflow the stack before it can be refused.
  return Int32Array.from([tokens.prefix, ...prefix, tokens.suffix, ...suffix, tokens.middle]);
}

/** @throws RequestError `unsupported_parameter` for a model that was not trained to fill holes */
export function requireInfill(config: ModelConfig): InfillTokens {
  if (config.infill) return config.infill;
  throw new RequestError(
    `'suffix' is not supported: ${config.name} was not trained to fill a hole between two texts.`,
    'unsupported_parameter',
    'suffix',
  );
}

/** The configuration under which a hole's content ends at its marker, as a text ends at an EOS. */
export function endingAtMiddle(config: ModelConfig, { end }: InfillTokens): ModelConfig {
  return end === null ? config : { ...config, eosTokenIds: [...config.eosTokenIds, end] };
}

/** A hole ends where the line after it would be written a second time. */
export function suffixStop(suffix: string): string[] {
  const line = suffix.split('\n').find((text) => text.trim().length >= SHORTEST_LINE);
  if (line === undefined) return [];
  const at = suffix.indexOf(line);
  // From the start of its line, or what is left of the line that the hole is in.
  return [suffix.slice(at === 0 ? 0 : at - 1, at + line.length)];
}

/** A shorter line, such as a closing bracket, may well stand twice in a row. */
const SHORTEST_LINE = 6;
