/** Checkpoints that are made to stop the converter or the server that loads them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { parseHfConfig } from '../../src/convert/hf/config.ts';
import { SafetensorsReader } from '../../src/convert/hf/safetensors.ts';
import { tryModel } from '../../src/convert/trial/try-model.ts';
import { ChatTemplate } from '../../src/engine/template/template.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { convertToDirectory } from '../support/engines/models.ts';

let directory: string;
beforeEach(async () => {
  directory = await convertToDirectory('tiny-llama', 'int8');
});

/** Changes a JSON file of the model. */
async function change(file: string, edit: (json: Record<string, unknown>) => void): Promise<void> {
  const json = JSON.parse(await readFile(join(directory, file), 'utf8'));
  edit(json);
  await writeFile(join(directory, file), JSON.stringify(json));
}

const chatTemplate = (template: string) => ({ template, bosToken: '', eosToken: '' });

test('an ordinary model passes its trial', async () => {
  await expect(tryModel(directory)).resolves.toBeUndefined();
});

test('a pre-tokenizer that tries all ways to split a run is refused after the time limit, and the next model passes', async () => {
  const tokenizer = await readFile(join(directory, 'tokenizer.json'), 'utf8');
  await change('tokenizer.json', (json) => {
    const split = { type: 'Split', pattern: { Regex: '(a|aa|a+)+(?!a)b' }, behavior: 'Isolated', invert: false };
    const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
    json.pre_tokenizer = { type: 'Sequence', pretokenizers: [split, byteLevel] };
  });
  await expect(tryModel(directory, 1)).rejects.toThrow(/takes longer than 1 seconds for a few words/);
  await writeFile(join(directory, 'tokenizer.json'), tokenizer);
  await expect(tryModel(directory)).resolves.toBeUndefined();
});

test.each([
  ['a loop', '{% for i in range(1000000000) %}{% endfor %}'],
  ['loops in a loop', '{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}'],
  ['steps back', '{% for i in range(0, -1000000000, -1) %}{% endfor %}'],
])(
  'a template with %s that does not end is refused by name, at conversion and by a server',
  async (_what, template) => {
    await change('config.json', (json) => {
      json.chatTemplate = chatTemplate(template);
    });
    await expect(tryModel(directory)).rejects.toThrow(/has more than 200000 elements|have more than 200000 elements/);
    const render = () => new ChatTemplate(template).render({});
    const start = performance.now();
    expect(render).toThrow(/200000 elements/);
    expect(performance.now() - start).toBeLessThan(5000);
  },
);

test.each([1e9, -1, 1.5])('a vocabulary with the id %s is refused at once', async (id) => {
  const json = JSON.parse(await readFile(join(directory, 'tokenizer.json'), 'utf8'));
  json.model.vocab.abc = id;
  const start = performance.now();
  expect(() => loadTokenizer(json, 257)).toThrow(/"abc" has the id/);
  expect(performance.now() - start).toBeLessThan(1000);
});

test.each(['num_hidden_layers', 'hidden_size', 'intermediate_size', 'vocab_size', 'num_attention_heads'])(
  'a %s of a billion is refused by name',
  (field) => {
    const config = {
      architectures: ['LlamaForCausalLM'],
      hidden_size: 64,
      intermediate_size: 128,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      vocab_size: 300,
      rms_norm_eps: 1e-5,
      [field]: 1e9,
    };
    expect(() => parseHfConfig(config, { sourceName: 'x', family: 'llama' })).toThrow(field);
  },
);

test.each(['../weights.safetensors', '/etc/passwd', 'a/b.safetensors', 'a\\\\b.safetensors'])(
  'an index that names %s is refused',
  async (file) => {
    const index = { weight_map: { 'model.norm.weight': file } };
    await writeFile(join(directory, 'model.safetensors.index.json'), JSON.stringify(index));
    await expect(SafetensorsReader.open(directory)).rejects.toThrow(/weight_map/);
  },
);
