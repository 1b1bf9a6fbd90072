/**
 * Finds where a rendered chat leaves its last message open, as `apply_chat_template` of transformers does with
 * `continue_final_message` (`render_jinja_template` in transformers/utils/chat_template_utils.py): a tag at the end of the message
 * is rendered with it, and the text is cut there.
 */

/** Its last space tells whether the template trims. */
const TAG = 'CONTINUE_FINAL_MESSAGE_TAG ';
/** What Python's `str.strip` takes away: JavaScript's `trim` leaves U+001C to U+001F and U+0085, and takes U+FEFF. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are spaces to Python
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** The content with the tag after it, for the template. */
export function withTag(content: string): string {
  return content + TAG;
}

/**
 * @param rendered with the tag
 * @param content of the last message, as it was rendered but for the tag
 * @returns the text up to the content's end. Where the template trims the content, spaces at its end are gone, and without a
 *   content those before it
 * @throws Error for a template that leaves the content out, changes it, or says it twice; transformers leaves a tag in the text there
 */
export function cutAtTag(rendered: string, content: string): string {
  const tag = TAG.trimEnd();
  const at = rendered.lastIndexOf(tag);
  if (at < 0 || !rendered.includes(stripped(content))) {
    throw new Error('the last message does not appear in the text, so it cannot be continued');
  }
  const text = rendered.slice(0, at);
  const other = content + tag;
  if (text.includes(other.slice(strippedStart(other)))) {
    throw new Error('the last message appears twice in the text, so it cannot be continued');
  }
  return rendered.startsWith(TAG, at) ? text : text.slice(0, strippedEnd(text));
}

function stripped(text: string): string {
  return text.slice(Math.min(strippedStart(text), strippedEnd(text)), strippedEnd(text));
}

/** Not by a regular expression: it would try every space of a long run. */
function strippedStart(text: string): number {
  let start = 0;
  while (start < text.length && SPACE.test(text[start]!)) start++;
  return start;
}

function strippedEnd(text: string): number {
  let end = text.length;
  while (end > 0 && SPACE.test(text[end - 1]!)) end--;
  return end;
}
