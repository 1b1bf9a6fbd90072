/** Loads a model directory that was just written, as a server will: what the server would refuse is no conversion. */
import { z } from 'zod';
import { type ChatMessage, chatPrompt } from '../../engine/chat-prompt.ts';
import { loadTokenizer, type Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { ModelConfig } from '../../model/config.ts';
import { ModelLoadError } from '../../model/errors.ts';
import { manifestSchema } from '../../model/manifest.ts';
import { readModelConfig } from '../../model/weight-source.ts';
import { directorySource } from '../../sources/directory.ts';
import { ConversionError } from '../checkpoint.ts';

/** Runs of one kind, with another kind after them: a pattern that tries all ways to split them does not end. */
const PROBES = ['a', 'A', '7', ' ', '\n', '!', 'é', 'aA', 'a '].flatMap((run) => [
  run.repeat(256),
  `${run.repeat(256)}!`,
  `${run.repeat(256)}\u0001`,
]);

/** @throws ConversionError in the words that the server would have for it */
export async function loadWrittenModel(directory: string): Promise<void> {
  const source = directorySource(directory);
  try {
    const config = await readModelConfig(source);
    const tokenizer = checkTokenizer(await source.json('tokenizer.json'), config.maskTokenId);
    for (const text of PROBES) tokenizer.encode(text, 'prompt');
    if (config.chatTemplate) renderSample(tokenizer, config);
    const manifest = manifestSchema.safeParse(await source.json('manifest.json'));
    if (!manifest.success) throw new ConversionError(`manifest.json: ${z.prettifyError(manifest.error)}`);
  } catch (error) {
    throw error instanceof ModelLoadError ? refusal(error) : error;
  }
}

/** @throws ConversionError if the server would refuse this tokenizer.json */
export function checkTokenizer(json: unknown, maskTokenId: number): Tokenizer {
  try {
    return loadTokenizer(json, maskTokenId);
  } catch (error) {
    throw error instanceof ModelLoadError ? refusal(error) : error;
  }
}

const SYSTEM: ChatMessage = { role: 'system', content: 'Be brief.' };
const USER: ChatMessage = { role: 'user', content: 'Hello' };
const ASSISTANT: ChatMessage = { role: 'assistant', content: 'Hi' };
/** Some templates want a system message, some refuse one, and some want an answer before the next question. */
const SAMPLES = [[USER], [SYSTEM, USER], [USER, ASSISTANT, USER], [SYSTEM, USER, ASSISTANT, USER]];

/** @throws ConversionError if the template renders none of a few ordinary conversations */
function renderSample(tokenizer: Tokenizer, config: ModelConfig): void {
  const reasons: string[] = [];
  for (const messages of SAMPLES) {
    try {
      chatPrompt(messages, tokenizer, config);
      return;
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new ConversionError(`the chat template renders no conversation: ${reasons[0]}`);
}

function refusal(error: ModelLoadError): ConversionError {
  return new ConversionError(`the server would refuse this model: ${error.message}`, { cause: error });
}
