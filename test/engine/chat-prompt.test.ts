import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { chatPrompt } from '../../src/engine/chat-prompt.ts';
import { RequestError } from '../../src/engine/request.ts';
import { parseModelConfig } from '../../src/model/config.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { fakeConfig } from '../support/engines/fake-model.ts';

const shipped = parseModelConfig(JSON.parse(await readFile('models/seedling-135m/config.json', 'utf8')));
const tokenizer = new ByteTokenizer();
const withTemplate = (template: string) => ({
  ...fakeConfig,
  chatTemplate: { template, bosToken: '<s>', eosToken: '</s>' },
});

describe('chatPrompt', () => {
  it('is ChatML for the shipped model, open for the assistant', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: '{{ 1 }} {% if %}' },
    ] as const;
    expect(chatPrompt(messages, tokenizer, shipped)).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n' +
        '<|im_start|>user\n{{ 1 }} {% if %}<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('hands special tokens and names to the template', () => {
    const config = withTemplate('{{ bos_token }}{{ messages[0].name }}:{{ messages[0].content }}{{ eos_token }}');
    expect(chatPrompt([{ role: 'user', content: 'a', name: 'b' }], tokenizer, config)).toBe('<s>b:a</s>');
  });

  it.each([
    ['no template', fakeConfig, 'unsupported_model'],
    ['a refusal of the template', withTemplate("{{ raise_exception('roles must alternate') }}"), 'invalid_value'],
  ])("%s is the caller's error", (_name, config, code) => {
    try {
      chatPrompt([{ role: 'user', content: 'a' }], tokenizer, config);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(RequestError);
      expect(error).toMatchObject({ code, param: 'messages' });
    }
  });
});
