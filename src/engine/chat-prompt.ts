/** Turns the messages of a chat into a prompt, with the model's own template. */
import type { ModelConfig } from '../model/config.ts';
import { cutAtTag, withTag } from './continued-turn.ts';
import { RequestError } from './request.ts';
import { ChatTemplate, type TemplateVariables } from './template/template.ts';
import type { Tokenizer } from './tokenizer/tokenizer.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
  readonly name?: string;
}

/** How a prompt ends: open for the assistant's next turn, after the last turn, or within it, so that the model goes on with it. */
export type ChatEnding = 'next_turn' | 'closed' | 'within_turn';

/** What a template is given by the server alone. */
const OWN_VARIABLES = [
  'messages',
  'tools',
  'documents',
  'add_generation_prompt',
  'continue_final_message',
  'chat_template',
  'bos_token',
  'eos_token',
];

/** @throws RequestError `invalid_value` for a variable that the server alone sets */
export function requireFreeNames(variables: TemplateVariables, param: string): void {
  const taken = OWN_VARIABLES.find((name) => Object.hasOwn(variables, name));
  if (taken === undefined) return;
  throw new RequestError(
    `Invalid '${param}.${taken}': the server sets this variable.`,
    'invalid_value',
    `${param}.${taken}`,
  );
}

/** The same value with every text in it protected, so that no special token comes out of it. */
function protectedTexts(value: unknown, tokenizer: Tokenizer): unknown {
  if (typeof value === 'string') return tokenizer.protect(value);
  if (Array.isArray(value)) return value.map((part) => protectedTexts(part, tokenizer));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, protectedTexts(part, tokenizer)]));
}

/** A template is parsed once per model: it takes longer than to render it. */
const parsed = new WeakMap<object, ChatTemplate>();

/**
 * Messages as the prompt after which the model writes, in the words of its own template.
 * Special tokens come out of the template alone, once the text is encoded as a `frame`.
 * @param variables further variables of the template, none of its own (`requireFreeNames`)
 * @throws RequestError `unsupported_model` for a model without a template, `invalid_value` for messages that it refuses, and for
 *   a last one that it cannot leave open
 */
export function chatPrompt(
  messages: readonly ChatMessage[],
  tokenizer: Tokenizer,
  config: ModelConfig,
  variables: TemplateVariables = {},
  ending: ChatEnding = 'next_turn',
): string {
  const { chatTemplate } = config;
  if (!chatTemplate) {
    throw new RequestError(
      `${config.name} has no chat template: use /v1/completions.`,
      'unsupported_model',
      'messages',
    );
  }
  const template = parsed.get(chatTemplate) ?? new ChatTemplate(chatTemplate.template);
  parsed.set(chatTemplate, template);
  const contents = messages.map(({ content }) => tokenizer.protect(content));
  const last = contents.at(-1) ?? '';
  const continued = ending === 'within_turn';
  if (continued) contents.splice(-1, 1, withTag(last));
  try {
    const text = template.render({
      ...(protectedTexts(variables, tokenizer) as TemplateVariables),
      messages: messages.map(({ role, name }, i) => ({
        role,
        content: contents[i]!,
        ...(name !== undefined && { name: tokenizer.protect(name) }),
      })),
      // As transformers passes them: a template may tell None from undefined.
      tools: null,
      documents: null,
      add_generation_prompt: ending === 'next_turn',
      bos_token: chatTemplate.bosToken,
      eos_token: chatTemplate.eosToken,
    });
    return continued ? cutAtTag(text, last) : text;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RequestError(`The model's chat template refuses these messages: ${reason}.`, 'invalid_value', 'messages');
  }
}
