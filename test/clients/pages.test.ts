/** What the pages about clients say: their settings lead to routes that there are, their table to tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { readSettings } from '../../src/hosts/settings.ts';
import { FAKE_CODER } from '../support/engines/fake-engine.ts';
import { fakeApp } from '../support/hosts/fake-app.ts';

const PAGES = 'docs/editors';
const ORIGIN = 'http://localhost:8787';
const { model: MODEL, kvTokens: CONTEXT } = readSettings({});

function blocks(page: string, language: string): string[] {
  const text = readFileSync(`${PAGES}/${page}.md`, 'utf8');
  const found = Array.from(text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)).filter(([, of]) => of === language);
  return found.map(([, , code]) => code ?? '');
}

// biome-ignore lint/suspicious/noExplicitAny: settings of others; the assertions say what they must be
type Settings = any;
const only = (page: string, language: string): string => {
  const [block, ...others] = blocks(page, language);
  if (block === undefined || others.length > 0) throw new Error(`${page} must have one block of ${language}`);
  return block;
};
const baseUrl = (page: string) => /baseURL: '([^']+)'/.exec(only(page, 'ts'))?.[1];
const tabby: readonly Settings[] = blocks('tabby', 'toml').map((block) => parseToml(block));
const tabbyHttp = (kind: string): Settings =>
  tabby.map(({ model }) => model.completion.http).find((http) => http.kind === kind);

const continueModel: Settings = parseYaml(only('continue', 'yaml')).models[0];
const llama: Settings = JSON.parse(only('llama-vscode', 'json'));
const zed: Settings = JSON.parse(only('zed', 'json')).edit_predictions.open_ai_compatible_api;

/** Each address as its client puts it together. */
const CALLS: readonly (readonly [client: string, url: string])[] = [
  ['openai', `${baseUrl('openai-sdk')}/completions`],
  ['openai', `${baseUrl('openai-sdk')}/chat/completions`],
  ['@ai-sdk/openai-compatible', `${baseUrl('ai-sdk')}/completions`],
  ['@ai-sdk/openai-compatible', `${baseUrl('ai-sdk')}/chat/completions`],
  ['Continue, mistral', new URL('fim/completions', continueModel.apiBase).href],
  ['Continue, openai', new URL('completions', continueModel.apiBase).href],
  ['Continue, openai', new URL('chat/completions', continueModel.apiBase).href],
  ['Continue, inception', new URL('edit/completions', continueModel.apiBase).href],
  ['llama.vscode', `${llama['llama-vscode.endpoint']}/infill`],
  ['Tabby', `${tabbyHttp('mistral/completion').api_endpoint}/v1/fim/completions`],
  ['Tabby', `${tabbyHttp('openai/completion').api_endpoint}/completions`],
  ['Tabby', `${tabbyHttp('llama.cpp/completion').api_endpoint}/completion`],
  ['Zed', zed.api_url],
];

describe('settings', () => {
  test.each(CALLS)('%s calls %s, which is a route', async (_client, url) => {
    expect(url.startsWith(`${ORIGIN}/`)).toBe(true);
    const { status, json } = await fakeApp().post({}, new URL(url).pathname);
    // A route that misses its fields, not one that nobody knows.
    expect(status).toBe(400);
    expect(['prompt', 'messages', 'code', 'input_prefix']).toContain(json.error.param);
  });

  test('name the model that is served by default', () => {
    const named = [continueModel.model, zed.model, tabbyHttp('mistral/completion').model_name];
    for (const name of [...named, tabbyHttp('openai/completion').model_name]) expect(name).toBe(MODEL);
    for (const page of ['openai-sdk', 'ai-sdk']) expect(only(page, 'ts')).toContain(`'${MODEL}'`);
  });

  test('leave room in the context', () => {
    const { autocompleteOptions, defaultCompletionOptions } = continueModel;
    expect(autocompleteOptions.maxPromptTokens).toBe(512);
    expect(autocompleteOptions.maxPromptTokens + defaultCompletionOptions.maxTokens).toBeLessThan(CONTEXT);
    const { max_input_length, max_decoding_tokens } = tabby[0].completion;
    // Code has three characters a token and more.
    expect(max_input_length / 3 + max_decoding_tokens).toBeLessThan(CONTEXT);
    expect(zed.max_output_tokens).toBeLessThan(CONTEXT / 2);
    expect(llama['llama-vscode.n_predict']).toBeLessThan(CONTEXT / 2);
  });

  test('a template of theirs is one that is taken apart', async () => {
    const { post, engine } = fakeApp({ config: FAKE_CODER });
    const template: string = tabbyHttp('llama.cpp/completion').prompt_template;
    await post({ prompt: template.replace('{prefix}', 'a').replace('{suffix}', 'b'), n_predict: 1 }, '/completion');
    expect(engine.requests[0]).toMatchObject({ prompt: 'a', suffix: 'b' });
  });
});

describe('the table', () => {
  const [first = ''] = readFileSync('docs/clients.md', 'utf8').split('\n## ');
  const rows = first
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '));
  const [[, ...features] = [], ...clients] = rows;

  test.each(clients.map(([client = '', ...cells]) => [client, cells] as const))('%s', (client, cells) => {
    const [, name = '', page = '', file = ''] = /^\[(.+?)\]\((.+?)\) \(\[test\]\(\.\.\/(.+?)\)\)$/.exec(client) ?? [];
    expect(existsSync(`docs/${page}`)).toBe(true);
    const [, tests = ''] = readFileSync(file, 'utf8').split(`\ndescribe('${name}', `);
    const [own = ''] = tests.split('\ndescribe(');
    for (const [j, feature] of features.entries()) {
      // A name in quotes begins with its feature; that of a table of tests stands behind the table.
      const tested = own.includes(`test('${feature}: `) || own.includes(`])('${feature}: `);
      expect(cells[j], feature).toBe(tested ? 'yes' : '–');
    }
  });

  test('has a row for every page', () => {
    const linked = new Set(clients.map(([client = '']) => /editors\/([\w-]+\.md)/.exec(client)?.[1]));
    expect([...linked].sort()).toEqual(readdirSync(PAGES).sort());
  });
});
