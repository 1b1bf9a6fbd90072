/** Frames a hole between a prefix and a suffix, as the model saw holes in training. */
import type { InfillFrame, ModelConfig } from '../../model/config.ts';
import { RequestError } from '../request.ts';

/** What a hole is filled from, each part tokenized by itself. */
export interface HoleIds {
  /** Other files. */
  readonly context: Int32Array;
  readonly prefix: Int32Array;
  readonly suffix: Int32Array;
}

/**
 * Prefix and suffix, then the marker after which the hole's content is written. The parts are tokenized apart, as in
 * training, where they were cut at any character: so the hole may end inside a token (`token-healing.ts` is about its beginning).
 * Bavarian et al. 2022 (arXiv 2207.14255), section 3: prefix-suffix-middle, or suffix-prefix-middle, where a prefix that
 * grows leaves all that was run before it as it was.
 * @param separator stands between documents in training
 * @returns (P)
 */
export function infillPrompt({ context, prefix, suffix }: HoleIds, frame: InfillFrame, separator: number): Int32Array {
  // Not as arguments: a long text would overflow the stack before it can be refused.
  const middle = frame.middle === null ? [] : [frame.middle];
  if (frame.order === 'prefix_first') {
    const { fileSeparator } = frame;
    // Families that were trained on whole repositories have each file after its separator, the one with the hole too.
    const head =
      fileSeparator === undefined || context.length === 0
        ? [frame.prefix, ...context]
        : [fileSeparator, ...context, fileSeparator, frame.prefix];
    return Int32Array.from([...head, ...prefix, frame.suffix, ...suffix, ...middle]);
  }
  const before = context.length > 0 ? [...context, separator] : [];
  return Int32Array.from([...before, frame.suffix, ...suffix, frame.prefix, ...prefix, ...middle]);
}

/** The ids that frame a hole, the one that ends it, and the one between files. */
export function markersOf({ infill }: Pick<ModelConfig, 'infill'>): readonly number[] {
  if (infill === null) return [];
  const { prefix, suffix, middle, end, fileSeparator } = infill;
  return [prefix, suffix, middle, end, fileSeparator].filter((id) => id != null);
}

/** @throws RequestError `unsupported_parameter` for a model that was not trained to fill holes */
export function requireInfill(config: ModelConfig): InfillFrame {
  if (config.infill) return config.infill;
  throw new RequestError(
    `'suffix' is not supported: ${config.name} was not trained to fill a hole between two texts.`,
    'unsupported_parameter',
    'suffix',
  );
}

/** The configuration under which a hole's content ends at its marker, as a text ends at an EOS. */
export function endingAtMiddle(config: ModelConfig, { end }: InfillFrame): ModelConfig {
  return end === null ? config : { ...config, eosTokenIds: [...config.eosTokenIds, end] };
}

/** A hole ends where the line after it would be written a second time. */
export function suffixStop(suffix: string): string[] {
  const line = suffix.split('\n').find((text) => text.trim().length >= SHORTEST_LINE);
  if (line === undefined) return [];
  const at = suffix.indexOf(line);
  // From the start of its line, or what is left of the line that the hole is in.
  const whole = suffix.slice(at === 0 ? 0 : at - 1, at + line.length);
  const before = suffix.slice(0, at);
  if (before.trim() === '') return [whole];
  // Brackets close the construct that the hole is in. So after equal brackets the beginning of the line is enough.
  const indent = line.length - line.trimStart().length;
  return [before + line.slice(0, indent + SHORTEST_LINE), whole];
}

/** A shorter line, such as a closing bracket, may well stand twice in a row. */
const SHORTEST_LINE = 6;
