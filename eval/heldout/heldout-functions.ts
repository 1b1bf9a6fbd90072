/** Whole functions of the held-out packages: working code that people wrote. */
import type { Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { decodeIds } from './decode-ids.ts';
import { evenStarts, type HeldoutPackage, shareOf } from './heldout-tokens.ts';

export interface HeldoutFunction {
  readonly package: string;
  readonly text: string;
  readonly tokens: number;
}

const FEWEST_TOKENS = 40;
const MOST_TOKENS = 240;

/** A function or method from its line to the brace that closes it at the same indentation. */
const BRACES =
  /^([ \t]*)(?:(?:export|default|async|static|function) +)*(?!(?:if|for|while|switch|catch)\b)\w+ ?[(<].*\{\n(?:.*\n)*?\1\}$/gm;
/** A Python function at the start of a line, to the last line that is indented. */
const INDENTED = /^(?:async )?def .*\n(?:(?:[ \t].*)?\n)*[ \t].*$/gm;

/** `count` functions, evenly spread over packages and within each. */
export function heldoutFunctions(
  packages: readonly HeldoutPackage[],
  tokenizer: Tokenizer,
  count: number,
): HeldoutFunction[] {
  return packages.flatMap(({ name, tokens }, index) => {
    const text = decodeIds(tokenizer, tokens);
    const found = [...text.matchAll(BRACES), ...text.matchAll(INDENTED)]
      .map(([match]) => ({ package: name, text: `${match}\n`, tokens: tokenizer.encode(match, 'content').length + 1 }))
      .filter(({ tokens }) => tokens >= FEWEST_TOKENS && tokens <= MOST_TOKENS);
    const share = Math.min(shareOf(count, index, packages.length), found.length);
    return evenStarts(found.length, 0, share).map((start) => found[start]!);
  });
}
