/**
 * How Continue reads answers: its rules, written down as code that fails where Continue fails. They are those of its
 * `streamSse` and of what its `mistral`, `openai` and `inception` providers do with the chunks.
 */

interface Chunk {
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: { readonly content?: string };
  }[];
}

/** @throws Error with the text that Continue shows */
async function* continueChunks(response: Response): AsyncGenerator<Chunk> {
  // Not every success will do.
  if (response.status !== 200) throw new Error(await response.text());
  const lines = (await response.text()).split('\n');
  for (const line of lines) {
    if (/^data: ?\[DONE\]/.test(line)) return;
    // It takes this comment for the end, whatever follows.
    if (line.startsWith(': ping')) return;
    if (!line.startsWith('data:')) continue;
    const chunk = JSON.parse(line.slice('data:'.length)) as Chunk & { readonly error?: { readonly message: string } };
    if (chunk.error) throw new Error(`Error streaming response: ${chunk.error.message}`);
    yield chunk;
  }
}

/** `mistral`: nothing guards against a chunk without choices. */
export async function readMistral(response: Response): Promise<readonly string[]> {
  const pieces: string[] = [];
  for await (const { choices } of continueChunks(response)) pieces.push(choices![0]!.delta!.content!);
  return pieces;
}

/** `openai` and `inception`, for completions. */
export async function readTexts(response: Response): Promise<readonly string[]> {
  const pieces: string[] = [];
  for await (const { choices } of continueChunks(response)) {
    const text = choices?.[0]?.text;
    if (text) pieces.push(text);
  }
  return pieces;
}

/** `inception`, for edits. */
export async function readDeltas(response: Response): Promise<readonly string[]> {
  const pieces: string[] = [];
  for await (const { choices } of continueChunks(response)) {
    const content = choices?.[0]?.delta?.content;
    if (content) pieces.push(content);
  }
  return pieces;
}

/** It takes the code from between the fences. */
export function unfenced(content: string): string {
  const start = content.indexOf('```\n');
  const end = content.lastIndexOf('\n\n```');
  if (start < 0 || end < start) throw new Error(`no code between fences: ${content}`);
  return content.slice(start + '```\n'.length, end);
}
