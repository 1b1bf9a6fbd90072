/** A prompt's own text, tokens and probabilities, for requests that ask for them. */
import type { JudgedPrompt } from '../../sampler/forwards.ts';
import type { TextToken } from '../request.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import { characters, TokenPlaces } from '../tokenizer/token-places.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/**
 * A prompt's text and tokens. The first has no probability: nothing stands before it.
 * @param ids (P) as committed
 * @param promptTokens of those, from the end; the others stand in for an empty prompt
 */
export function promptTokenTexts(
  ids: Int32Array,
  promptTokens: number,
  { probs, alternatives }: JudgedPrompt,
  tokenizer: Tokenizer,
): { readonly text: string; readonly tokens: readonly TextToken[] } {
  const detokenizer = new Detokenizer(tokenizer);
  const places = new TokenPlaces(tokenizer);
  let text = '';
  for (let at = ids.length - promptTokens; at < ids.length; at++) {
    const prob = at === 0 ? null : probs[at - 1]!;
    const id = ids[at]!;
    places.add({ id, prob, alternatives: at === 0 ? [] : alternatives[at - 1]! }, characters(text));
    text += detokenizer.push(id);
  }
  return { text, tokens: places.take(Number.POSITIVE_INFINITY) };
}
