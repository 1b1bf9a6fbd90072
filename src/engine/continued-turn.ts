/**
 * Finds where a rendered chat leaves its last message open, as `apply_chat_template` of transformers does with
 * `continue_final_message` (`render_jinja_template` in transformers/utils/chat_template_utils.py): a tag at the end of the message
 * is rendered with it, and the text is cut there.
 */

import { strip } from './template/strings.ts';
import { NONE } from './template/values.ts';

/** Its last space tells whether the template trims. */
const TAG = 'CONTINUE_FINAL_MESSAGE_TAG ';

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
  if (at < 0 || !rendered.includes(strip(content, NONE, true, true))) {
    throw new Error('the last message does not appear in the text, so it cannot be continued');
  }
  const text = rendered.slice(0, at);
  if (text.includes(strip(content + tag, NONE, true, false))) {
    throw new Error('the last message appears twice in the text, so it cannot be continued');
  }
  return rendered.startsWith(TAG, at) ? text : strip(text, NONE, false, true);
}
