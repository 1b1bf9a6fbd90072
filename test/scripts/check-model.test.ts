/** `npm run check-model`: its page for tiny models. */
import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { checkPage } from '../../scripts/check-model/page.ts';
import { CHECK_PROMPTS } from '../../scripts/check-model/prompts.ts';
import { openEngine } from '../support/engines/engine.ts';
import { convertToDirectory } from '../support/engines/models.ts';

const run = promisify(execFile);
const program = new URL('../../scripts/check-model/main.ts', import.meta.url).pathname;

const WHERE = { processor: { model: 'Some CPU', vnni: true, cores: 2 }, commit: '0123456789ab+' };
const TYPES = { layers: 'f32', embedding: 'f32' } as const;

async function page(semantics: object) {
  const directory = await convertToDirectory('tiny-llama', 'f32', semantics);
  const engine = await openEngine(basename(directory), dirname(directory));
  const tokens = new Map([[256, '<|endoftext|>']]);
  return checkPage({ engine, types: TYPES, tokens, loadSeconds: 1.25, where: WHERE }, CHECK_PROMPTS.slice(0, 3));
}

test('there are ten different prompts', () => {
  expect(new Set(CHECK_PROMPTS).size).toBe(10);
});

test('says what was decided, what it costs, and that verified text is sequential text', async () => {
  const { text, sound } = await page({});
  expect(sound).toBe(true);
  expect(text).toMatch(/^# check-model tiny-llama\n\nprocessor Some CPU, 2 cores, VNNI\n/);
  expect(text).toMatch(/^commit {4}0123456789ab\+$/m);
  expect(text).toMatch(/^decoder {3}llama, tied LM head$/m);
  expect(text).toMatch(/^dtype {5}f32, embedding and LM head f32$/m);
  expect(text).toMatch(/^rope {6}theta 10000, not scaled$/m);
  expect(text).toMatch(/^ends {6}256 <\|endoftext\|>/m);
  expect(text).toMatch(/^weights \d+\.\d MiB, KV \d+\.\d MiB for \d+ tokens, scratch .* together \d+\.\d MiB$/m);
  expect(text).toMatch(/^positions +1 +2 .*\ncost +1\.00 /m);
  expect(text.match(/tokens +\d+ forwards +\d\.\d\d a forward {2}equal$/gm)).toHaveLength(3);
  expect(text).toMatch(/^one token at a time \d\.\d\d tokens a forward, \d+\.\d tokens\/s$/m);
  expect(text).toContain('Verified and sequential text: 3 of 3 equal.');
});

test('compares nothing where drafts are not verified', async () => {
  const { text, sound } = await page({ contextAttention: 'block_causal', logitShift: false });
  expect(sound).toBe(true);
  expect(text).toContain('not compared, because drafts are not verified under block_causal context');
  expect(text).not.toMatch(/ (equal|DIFFERS)/);
});

test('text that differs is a fault, with its place', async () => {
  const directory = await convertToDirectory('tiny-llama', 'f32');
  const engine = await openEngine(basename(directory), dirname(directory));
  // Drafts that are never checked: the model commits whatever a block predicts.
  const broken = new Proxy(engine, {
    get(target, field) {
      if (field !== 'generate') return Reflect.get(target, field);
      return (request: Parameters<typeof engine.generate>[0]) => {
        if (request.kind !== 'generate' || !request.decoding.verify) return target.generate(request);
        const decoding = { ...request.decoding, verify: false, blockLength: 8 };
        return target.generate({ ...request, decoding });
      };
    },
  });
  const checked = { engine: broken, types: TYPES, tokens: new Map(), loadSeconds: 0, where: WHERE };
  const { text, sound } = await checkPage(checked, CHECK_PROMPTS.slice(0, 3));
  expect(sound).toBe(false);
  expect(text).toMatch(/DIFFERS from character \d+/);
  expect(text).toContain('which is a FAULT');
});

test('the command prints the page of a model, and a sentence for one that is not there', async () => {
  const directory = await convertToDirectory('tiny-llama', 'int4');
  const models = dirname(directory);
  const { stdout } = await run(process.execPath, [program, 'tiny-llama', '--models', models]);
  expect(stdout).toMatch(/^dtype {5}int4, embedding and LM head int4$/m);
  expect(stdout.match(/ a forward {2}equal$/gm)).toHaveLength(10);
  const empty = await mkdtemp(join(tmpdir(), 'seedling-'));
  const missing = run(process.execPath, [program, 'nobody', '--models', empty]);
  await expect(missing).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/^Setting MODEL is nobody/) });
  await expect(run(process.execPath, [program])).rejects.toMatchObject({
    code: 1,
    stderr: 'npm run check-model -- NAME [--models DIR]\n',
  });
});
