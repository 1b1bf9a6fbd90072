/** SDKs as their authors publish them, each in an environment of its own, against the server that a person would start. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProcessHost } from '../../support/hosts/bare-workerd.ts';
import { CONTEXT, KEY, MODEL, serveModel } from './served-model.ts';
import { readTable } from './table.ts';

/** One line of a program. */
interface Result {
  readonly call: string;
  readonly [fact: string]: unknown;
}

interface Text {
  readonly text: string;
  readonly finish: string;
  /** Of prompt, completion and both, in tokens. */
  readonly usage: readonly number[];
}

const look = { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } };
const GIVEN = {
  key: KEY,
  model: MODEL,
  prompt: 'function add(a, b) {',
  suffix: '}\n',
  messages: [{ role: 'user', content: 'sort it' }],
  max_tokens: 12,
  // They cannot change the text, but for a limit of tokens that is cut to what fits.
  more_fields: {
    max_tokens: 1_000_000,
    user: 'somebody',
    metadata: { task: 'sort' },
    store: false,
    service_tier: 'auto',
    reasoning_effort: 'low',
    verbosity: 'low',
  },
  mistral_fields: { max_tokens: 1_000_000, random_seed: 7, metadata: { task: 'sort' }, safe_prompt: false },
  unknown_fields: { thinking_budget: 5 },
  begun_messages: [
    { role: 'user', content: 'sort it' },
    { role: 'assistant', content: 'hello' },
  ],
  continued: { continue_final_message: true, add_generation_prompt: false },
  // This text goes on for longer than a client waits here.
  endless_prompt: 'zz',
  endless_tokens: 30_000,
  patience_seconds: 5,
  wrong_key: 'sk-seedling-nobody',
  wrong_model: 'gpt-4',
  wrong_temperature: 3,
  tools: [{ type: 'function', function: look }],
  large_prompt: 'x'.repeat(1_200_000),
  long_prompt: 'a b '.repeat(CONTEXT / 2),
};

/** Each error that a user must be told of: its status, and what the server says. */
const ERRORS: Readonly<Record<string, readonly [status: number, words: string]>> = {
  'wrong key': [401, 'Incorrect API key provided.'],
  'wrong model': [404, "The model 'gpt-4' does not exist."],
  'wrong field': [400, 'temperature'],
  tools: [400, "Invalid 'tools'"],
  'large body': [413, 'larger than 1048576 bytes'],
  'long prompt': [400, `maximum context length is ${CONTEXT} tokens`],
  embeddings: [404, 'POST /v1/embeddings'],
};

let host: ProcessHost;
/** The texts as the server sends them, by the word that a call begins with. */
const sent = new Map<string, Text>();

beforeAll(async () => {
  host = await serveModel();
  const { model, prompt, suffix, messages, max_tokens } = GIVEN;
  sent.set('complete', await ask('completions', { model, prompt, max_tokens }));
  sent.set('infill', await ask('completions', { model, prompt, suffix, max_tokens }));
  sent.set('chat', await ask('chat/completions', { model, messages, max_tokens }));
  // What the model's template makes of the messages, up to the text to go on with.
  const begun = 'user: sort it<|endoftext|>\nassistant: hello';
  sent.set('continue', await ask('completions', { model, prompt: begun, max_tokens }));
});
afterAll(() => host?.stop());

async function ask(path: string, body: object): Promise<Text> {
  const response = await fetch(new URL(`/v1/${path}`, host.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  // biome-ignore lint/suspicious/noExplicitAny: the expectations below say what it must be
  const { choices, usage }: any = await response.json();
  const [{ text, message, finish_reason: finish }] = choices;
  return {
    text: text ?? message.content,
    finish,
    usage: [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
  };
}

/** Runs a package's program to its end. */
async function callsOf(client: string): Promise<ReadonlyMap<string, Result>> {
  const folder = join(import.meta.dirname, client);
  const python = join(folder, '.venv/bin/python');
  const [command, program] = existsSync(join(folder, 'calls.py'))
    ? [python, join(folder, 'calls.py')]
    : [process.execPath, join(folder, 'calls.mjs')];
  if (!existsSync(command === python ? python : join(folder, 'node_modules'))) {
    throw new Error(`${client} is not installed: npm run install:clients`);
  }
  const child = spawn(command, [program], {
    cwd: folder,
    env: { ...process.env, PYTHONPATH: import.meta.dirname, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const exited = once(child, 'exit');
  child.stdin.end(JSON.stringify({ ...GIVEN, url: host.url.origin }));
  const [output, faults] = await Promise.all([readText(child.stdout), readText(child.stderr)]);
  expect((await exited)[0], faults).toBe(0);
  const results = output
    .trimEnd()
    .split('\n')
    .map((line): Result => JSON.parse(line));
  return new Map(results.map((result) => [result.call, result]));
}

/** @param cell `yes`, `no usage`, `text` where a package keeps neither usage nor reason, or the name of an exception */
function expectAnswer(result: Result, cell: string): void {
  const { call, ...facts } = result;
  const expected = sent.get(/^\w+/.exec(call)![0])!;
  const shown: Readonly<Record<string, object>> = {
    yes: expected,
    'no usage': { ...expected, usage: null },
    text: { text: expected.text, finish: null, usage: null },
  };
  expect(Object.keys(shown)).toContain(cell);
  expect(facts).toEqual(shown[cell]);
}

/** @param cell `no header` where a package does not show what the server ignored */
function expectMoreFields({ call: _, ignored, ...facts }: Result, cell: string): void {
  const { text, finish, usage } = sent.get('chat')!;
  expect(facts).toEqual({ text, finish, usage });
  expect(['yes', 'no header']).toContain(cell);
  const cut = `=${CONTEXT - usage[0]!}, ${Object.keys(GIVEN.unknown_fields)}`;
  if (cell === 'yes') expect([`max_tokens${cut}`, `max_completion_tokens${cut}`]).toContain(ignored);
  else expect(ignored).toBeNull();
}

function expectError({ call, ...facts }: Result, cell: string): void {
  const [status, words] = ERRORS[call]!;
  // Null: the package refuses it before it asks the server.
  expect([status, null]).toContain(facts.status);
  expect(facts.raised).toBe(cell);
  expect(facts.message).toContain(words);
}

describe.each(readTable().map((column) => [column.client, column.version, column.cells] as const))(
  '%s %s',
  (client, _version, cells) => {
    let results: ReadonlyMap<string, Result>;
    beforeAll(async () => {
      results = await callsOf(client);
    }, 180_000);

    test.each([...cells])('%s: %s', (call, cell) => {
      const result = results.get(call);
      if (result === undefined) throw new Error(`the program of ${client} does not call ${call}`);
      if (ERRORS[call]) expectError(result, cell);
      else if (call === 'more fields') expectMoreFields(result, cell);
      else if (call === 'models') {
        expect(cell).toBe('yes');
        expect(result).toEqual({ call, models: [MODEL], one: result.one === null ? null : MODEL });
      } else if (call === 'cancel') {
        expect(cell).toBe('yes');
        // It takes pages as its text grows.
        expect(result.held).toBeGreaterThan(0);
        expect(result.still_held).toBe(0);
      } else expectAnswer(result, cell);
    });

    test('calls nothing that the table leaves out', () => {
      expect([...results.keys()].filter((call) => !cells.has(call))).toEqual([]);
    });
  },
);
