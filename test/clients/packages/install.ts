/**
 * Makes one environment for each package, from its lock and nothing else: `.venv` by uv, or `node_modules` by npm. uv
 * itself comes from a lock too. No script of a package runs.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;

function run(command: string, parts: readonly string[], folder: string): void {
  const env = { ...process.env, UV_PYTHON_DOWNLOADS: 'never', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  execFileSync(command, parts, { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
}

function timed(name: string, install: () => void): void {
  const start = performance.now();
  install();
  console.log(`${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${name}`);
}

const uv = join(HERE, '.venv/bin/uv');
timed('uv', () => {
  run('python3', ['-m', 'venv', '.venv'], HERE);
  run('.venv/bin/python', ['-m', 'pip', 'install', '--quiet', '--require-hashes', '--requirement', 'uv.txt'], HERE);
});

for (const { name } of readdirSync(HERE, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
  const folder = join(HERE, name);
  if (existsSync(join(folder, 'package-lock.json'))) {
    timed(name, () => run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder));
  }
  if (existsSync(join(folder, 'requirements.txt'))) {
    timed(name, () => {
      run(uv, ['venv', '--quiet', '--allow-existing', '--python', 'python3', '.venv'], folder);
      run(uv, ['pip', 'sync', '--quiet', '--require-hashes', '--only-binary', ':all:', 'requirements.txt'], folder);
    });
  }
}
