/** The folder in which the documents' commands run: small inputs in place of those that a user brings. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export const ROOT = new URL('../..', import.meta.url).pathname;

/** Two small training packages beside the held-out ones. */
const TRAINED_ON = ['@jupyterlab/fileeditor', 'sortedcontainers'];

/** @returns the folder, with a toy base model, a short list of packages and one problem of each evaluation set */
export function createWorkplace(): string {
  const scratch = mkdtempSync(join(tmpdir(), 'seedling-documents-'));
  mkdirSync(join(scratch, 'cache/base'), { recursive: true });
  const base = join(scratch, 'cache/base/SmolLM2-135M-Instruct.Q4_1.gguf');
  execFileSync('python', [new URL('toy_base.py', import.meta.url).pathname, base], { stdio: 'inherit' });
  writePackages(join(scratch, 'packages.json'));
  writeSets(join(scratch, 'sets'));
  return scratch;
}

export function removeWorkplace(scratch: string): void {
  rmSync(scratch, { recursive: true, force: true });
}

function writePackages(path: string): void {
  const list = join(ROOT, 'models/recipe/recipe/data/packages.json');
  const packages = JSON.parse(readFileSync(list, 'utf8')) as { name: string; split: string }[];
  const few = packages.filter(({ name, split }) => split === 'heldout' || TRAINED_ON.includes(name));
  writeFileSync(path, JSON.stringify(few));
}

/** Problems of our own in the shape of the published sets. */
function writeSets(folder: string): void {
  mkdirSync(folder);
  const line = (problem: object) => `${JSON.stringify(problem)}\n`;
  const complete = {
    task_id: 'own/0',
    prompt: 'function double(x: number): number {',
    test: '\nif (double(2) !== 4) throw 1;',
  };
  writeFileSync(join(folder, 'humaneval-typescript.jsonl'), line(complete));
  const repair = {
    task_id: 'own/1',
    declaration: 'const double = (x) => {\n',
    buggy_solution: '  return x * 3;\n}\n',
    canonical_solution: '  return x * 2;\n}\n',
    test: 'console.assert(double(2) === 4);',
    entry_point: 'double',
  };
  writeFileSync(join(folder, 'humanevalfix-javascript.jsonl'), line(repair));
  const infill = {
    task_id: 'own/2',
    prompt: 'def double(x):\n    return ',
    suffix: ' * 2\n',
    canonical_solution: 'x',
    test: 'def check(f):\n    assert f(2) == 4\n',
    entry_point: 'double',
  };
  writeFileSync(join(folder, 'humaneval-infilling-random-span-light.jsonl.gz'), gzipSync(line(infill)));
}
