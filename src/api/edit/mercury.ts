/** Reads Mercury's edit prompt: one user message with tags around its parts. */

export interface TaggedEdit {
  /** Of the current file, before and after what is to be edited. */
  readonly before: string;
  readonly code: string;
  readonly after: string;
}

const TAGS = {
  file: ['<|current_file_content|>', '<|/current_file_content|>'],
  edit: ['<|code_to_edit|>', '<|/code_to_edit|>'],
} as const;
const CURSOR = '<|cursor|>';
const PATH_LINE = /^current_file_path: .*\r?\n/;

/**
 * Recently viewed snippets and the diff history are not read: this model edits what it finds improbable, and a context of
 * its size has no room for them.
 * @returns null where the message has no code to edit between its tags
 */
export function readTaggedEdit(message: string): TaggedEdit | null {
  const [open, close] = TAGS.edit;
  const start = message.indexOf(open);
  const end = message.indexOf(close, start + open.length);
  if (start < 0 || end < 0) return null;
  const [fileOpen, fileClose] = TAGS.file;
  const fileStart = message.lastIndexOf(fileOpen, start);
  const fileEnd = message.indexOf(fileClose, end);
  const head = fileStart < 0 ? '' : unframed(message.slice(fileStart + fileOpen.length, start)).replace(PATH_LINE, '');
  const tail = fileStart < 0 || fileEnd < 0 ? '' : message.slice(end + close.length, fileEnd);
  return {
    before: plain(head),
    code: plain(unframed(message.slice(start + open.length, end)).replace(/\r?\n$/, '')),
    // The tag stands on a line of its own: its line break belongs to the code.
    after: plain(tail.replace(/\r?\n$/, '')),
  };
}

/** Without the line break after the opening tag. */
function unframed(text: string): string {
  return text.replace(/^\r?\n/, '');
}

function plain(text: string): string {
  return text.replace(CURSOR, '');
}

/** How Mercury's clients expect the code: they cut it out between the fences. */
export function fenced(code: string): string {
  return `\`\`\`\n${code}\n\n\`\`\``;
}
