/** The right sides are Python's `json.loads` of the left ones. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert } from '../../src/convert/convert.ts';
import { parsePythonJson } from '../../src/convert/python-json.ts';
import { CONFIG, TOKENIZER, temporaryDirectory, tinyTensors, writeCheckpoint } from './support/tiny-checkpoint.ts';

describe('parsePythonJson', () => {
  it.each<[string, unknown]>([
    ['[Infinity, -Infinity]', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['[Infinity,NaN,1]', [Number.POSITIVE_INFINITY, Number.NaN, 1]],
    ['{"a":{"b":-Infinity}}', { a: { b: Number.NEGATIVE_INFINITY } }],
    ['NaN', Number.NaN],
    ['[1e999, Infinity]', [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]],
    ['{"Infinity": NaN}', { Infinity: Number.NaN }],
    ['{"NaN": "NaN", "NaN_": [NaN, "-Infinity"]}', { NaN: 'NaN', NaN_: [Number.NaN, '-Infinity'] }],
    ['["a \\" Infinity, NaN", "\\\\", Infinity]', ['a " Infinity, NaN', '\\', Number.POSITIVE_INFINITY]],
    ['["x,NaN,"\n,\tNaN\n]', ['x,NaN,', Number.NaN]],
  ])('reads %s', (text, value) => {
    expect(parsePythonJson(text)).toEqual(value);
  });

  it.each([
    '[-NaN]',
    '[+Infinity]',
    '[--Infinity]',
    '[- Infinity]',
    '[infinity]',
    '[nan]',
    '[inf]',
    '[Infinity1]',
    '[1Infinity]',
    '[1.Infinity]',
    '[1-Infinity]',
    '[1e-Infinity]',
    '[Infinity-1]',
    '[Infinity.5]',
    '[NaN NaN]',
    '{NaN:1}',
    '{Infinity:1}',
    '[Infinity,]',
    '\ufeff[Infinity]',
    '["Infinity]',
  ])('refuses %s', (text) => {
    expect(() => parsePythonJson(text)).toThrow(SyntaxError);
  });
});

describe('a file that Python wrote', () => {
  const options = async () => {
    return { name: 'tiny', out: await temporaryDirectory(), dtype: 'f32', embedding: 'f32', semantics: {} } as const;
  };
  /** @param text of a file of a checkpoint; `{` is followed by other fields */
  async function source(file: string, text: string): Promise<string> {
    const directory = await writeCheckpoint();
    const rest = file === 'config.json' ? JSON.stringify(CONFIG).slice(1) : '"more": 1}';
    await writeFile(join(directory, file), `${text}, ${rest}`);
    return directory;
  }

  it.each([
    ['config.json', '{"time_step_limit": [0.0, Infinity]'],
    ['config.json', '{"router_bias": -Infinity, "name": "Infinity"'],
    ['config.json', '{"loss": NaN'],
    ['generation_config.json', '{"length_penalty": Infinity'],
    ['tokenizer_config.json', '{"model_max_length": Infinity, "eos_token": "NaN"'],
    ['special_tokens_map.json', '{"scores": [NaN, -Infinity]'],
  ])('is read: %s with %s', async (file, text) => {
    const { config } = await convert(await source(file, text), await options());
    expect(config.hiddenSize).toBe(64);
  });

  it.each([
    ['rms_norm_eps', 'Infinity'],
    ['rope_theta', 'NaN'],
    ['num_hidden_layers', 'Infinity'],
    ['vocab_size', '-Infinity'],
    ['mask_token_id', 'NaN'],
    ['head_dim', 'Infinity'],
  ])('has no such number where the model needs one: %s %s', async (field, value) => {
    const directory = await writeCheckpoint();
    const json = JSON.stringify({ ...CONFIG, [field]: 'HERE' }).replace('"HERE"', value);
    await writeFile(join(directory, 'config.json'), json);
    await expect(convert(directory, await options())).rejects.toThrow(field);
  });

  it('is not tokenizer.json, which the Rust library writes', async () => {
    const directory = await writeCheckpoint(CONFIG, tinyTensors());
    await writeFile(join(directory, 'tokenizer.json'), JSON.stringify(TOKENIZER).replace('{', '{"dropout": NaN,'));
    await expect(convert(directory, await options())).rejects.toThrow(/tokenizer\.json is not JSON/);
  });
});
