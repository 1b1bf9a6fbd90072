import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory, writeCheckpoint } from './support/tiny-checkpoint.ts';

const CLI = new URL('../../src/convert/cli.ts', import.meta.url).pathname;

function cli(...args: string[]) {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
}

describe('npm run convert', () => {
  it('converts with the flags and reports the error of each class', async () => {
    const out = await temporaryDirectory();
    const flags = ['--dtype', 'int8', '--embedding', 'int4', '--logit-shift', '--context-attention', 'causal'];
    const ids = ['--mask-token-id', '7', '--block-length', '16', '--eos-token-id', '1', '--eos-token-id', '2'];
    const { status, stdout, stderr } = cli(await writeCheckpoint(), 'tiny', '--out', out, ...flags, ...ids);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/embed_tokens +int4 +2560 weights {2}relative RMS error \d\.\d+%/);
    expect(stdout).toMatch(/q_proj +int8 +8192 weights {2}relative RMS error 0\.\d+%/);
    expect(stdout).toMatch(/\nshift +yes.*\nblock +16 tokens.*\ndecoding .*\nmask +7\n/);
    const config = JSON.parse(await readFile(join(out, 'tiny', 'config.json'), 'utf8'));
    expect(config).toMatchObject({ maskTokenId: 7, blockLength: 16, eosTokenIds: [1, 2], logitShift: true });
    expect(config.contextAttention).toBe('causal');
  });

  it.each([
    [['only-a-source'], 'npm run convert -- SOURCE NAME'],
    [['a', 'b', '--dtype', 'int3'], '--dtype int3: must be one of int4, int8, f32'],
    [['a', 'b', '--mask-token-id', '-1'], '--mask-token-id'],
    [['a', 'b', '--block-length', '1.5'], '--block-length 1.5: must be a whole number'],
    [['a', 'b', '--unknown'], '--unknown'],
    [['/nowhere', 'b'], '/nowhere is neither'],
  ])('answers %j with one clear message and status 1', async (args, message) => {
    const { status, stderr } = cli(...args);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(1);
    expect(existsSync('models/b')).toBe(false);
  });
});
