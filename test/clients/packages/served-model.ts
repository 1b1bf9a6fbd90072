/**
 * A real server for the packages: the Node entry behind an API key, over a random checkpoint that chats and fills holes.
 * Its texts mean nothing, but greedy they are the same at every call.
 */
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../../src/convert/convert.ts';
import { fixture } from '../../support/engines/models.ts';
import type { ProcessHost } from '../../support/hosts/bare-workerd.ts';
import { startNodeProcess } from '../../support/hosts/node-process.ts';

export const MODEL = 'tiny-llama';
export const KEY = 'sk-seedling-packages';
/** In tokens. A text that is cancelled must not come to its end first, so there is room for one of many seconds. */
export const CONTEXT = 32_768;

const CHAT_TEMPLATE =
  "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}\n{% endfor %}" +
  '{% if add_generation_prompt %}assistant: {% endif %}';

/** A copy of the fixture with a chat template and the tokens of a hole, which it has free rows for. */
async function chattingCheckpoint(): Promise<string> {
  const source = await mkdtemp(join(tmpdir(), 'seedling-checkpoint-'));
  await cp(fixture(MODEL), source, { recursive: true });
  const tokenizer = JSON.parse(await readFile(join(source, 'tokenizer.json'), 'utf8'));
  const [pattern] = tokenizer.added_tokens;
  for (const [i, content] of ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'].entries()) {
    tokenizer.added_tokens.push({ ...pattern, id: 258 + i, content });
  }
  await writeFile(join(source, 'tokenizer.json'), JSON.stringify(tokenizer));
  const config = { chat_template: CHAT_TEMPLATE, eos_token: '<|endoftext|>' };
  await writeFile(join(source, 'tokenizer_config.json'), JSON.stringify(config));
  return source;
}

export async function serveModel(): Promise<ProcessHost> {
  const models = await mkdtemp(join(tmpdir(), 'seedling-models-'));
  const dtype = 'int8';
  await convert(await chattingCheckpoint(), { name: MODEL, out: models, dtype, embedding: dtype, semantics: {} });
  const config = join(models, MODEL, 'config.json');
  await writeFile(config, JSON.stringify({ ...JSON.parse(await readFile(config, 'utf8')), contextLength: CONTEXT }));
  return startNodeProcess('../../../src/hosts/node/main.ts', {
    MODEL,
    MODELS_DIR: models,
    KV_TOKENS: String(CONTEXT),
    MAX_TOKENS: String(CONTEXT),
    RATE_LIMIT: '0',
    API_KEYS: `packages:${createHash('sha256').update(KEY).digest('hex')}`,
  });
}
