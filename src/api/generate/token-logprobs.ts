/** Writes token probabilities in OpenAI's two shapes. */

import type { TextToken } from '../../engine/request.ts';
import { wholeText } from '../../engine/tokenizer/detokenizer.ts';

/** What stands for the logarithm of 0, as in OpenAI's answers: JSON has no infinity. */
const IMPOSSIBLE = -9999;

function logprob(prob: number): number {
  return prob > 0 ? Math.max(Math.log(prob), IMPOSSIBLE) : IMPOSSIBLE;
}

/** The mean over tokens that have a probability; that of no token is 0. */
export function meanLogprob(tokens: readonly TextToken[]): number {
  const sum = tokens.reduce((total, { prob }) => total + logprob(prob ?? 1), 0);
  return tokens.length === 0 ? 0 : sum / tokens.length;
}

/** A token's text; of one that is no whole character, its bytes. */
function tokenText(bytes: Uint8Array): string {
  const escaped = () => Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return wholeText(bytes) ?? `bytes:${escaped()}`;
}

/**
 * `/v1/completions`: parallel lists.
 * @param alternatives how many were asked for; the token itself comes in addition where it is none of them
 * @param shift code points of the text before the first token's text
 */
export function completionLogprobs(tokens: readonly TextToken[], alternatives: number, shift: number) {
  const top = ({ bytes, prob, alternatives }: TextToken): Record<string, number> | null => {
    if (prob === null) return null;
    const ranked = [...alternatives, { bytes, prob }].map((other) => [tokenText(other.bytes), other.prob] as const);
    // Of tokens without a text, the most probable one.
    return Object.fromEntries(ranked.reverse().map(([text, value]) => [text, logprob(value)]));
  };
  return {
    tokens: tokens.map(({ bytes }) => tokenText(bytes)),
    token_logprobs: tokens.map(({ prob }) => (prob === null ? null : logprob(prob))),
    top_logprobs: alternatives === 0 ? null : tokens.map(top),
    text_offset: tokens.map(({ offset }) => shift + offset),
  };
}

/** `/v1/chat/completions`: one object a token. */
export function chatLogprobs(tokens: readonly TextToken[]) {
  const entry = (bytes: Uint8Array, prob: number) => ({
    token: new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
    logprob: logprob(prob),
    bytes: Array.from(bytes),
  });
  return {
    content: tokens.map(({ bytes, prob, alternatives }) => ({
      ...entry(bytes, prob ?? 1),
      top_logprobs: alternatives.map((other) => entry(other.bytes, other.prob)),
    })),
    refusal: null,
  };
}
