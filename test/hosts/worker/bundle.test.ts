/** What would be deployed to Workers: under their limit for scripts by far, and without the engine that only other hosts load. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const LIMIT = 5 << 20;
const WRANGLER = new URL('../../../node_modules/wrangler/bin/wrangler.js', import.meta.url).pathname;
/** Names that the code around ONNX Runtime cannot be without, and one of the kernels' side, so that a miss means something. */
const ENGINE = ['onnxruntime', 'MatMulNBits', 'InferenceSession', 'requestAdapter'];
const KERNELS = 'relaxed';

test('the Worker bundle stays under 5 MiB, and has no ONNX engine in it', { timeout: 180_000 }, async () => {
  const out = await mkdtemp(join(tmpdir(), 'seedling-bundle-'));
  await promisify(execFile)(process.execPath, [WRANGLER, 'deploy', '--dry-run', '--outdir', out], {
    cwd: new URL('../../..', import.meta.url).pathname,
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
  });
  const files = (await readdir(out)).filter((name) => !/\.map$|^README/.test(name));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(out, name))).size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`Worker bundle: ${files.map((name, i) => `${name} ${sizes[i]}`).join(', ')}; ${total} bytes`);
  expect(total).toBeLessThan(LIMIT);
  const script = await readFile(join(out, 'main.js'), 'utf8');
  expect(script).toContain(KERNELS);
  for (const name of ENGINE) expect(script).not.toContain(name);
  await rm(out, { recursive: true });
});
