/** The folder in which the documents' commands run: small inputs in place of those that a user brings. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export const ROOT = new URL('../..', import.meta.url).pathname;

/** @returns the folder, with a cache that is empty and one problem of each evaluation set */
export function createWorkplace(): string {
  const scratch = mkdtempSync(join(tmpdir(), 'seedling-documents-'));
  mkdirSync(join(scratch, 'cache'));
  writeSets(join(scratch, 'sets'));
  return scratch;
}

export function removeWorkplace(scratch: string): void {
  rmSync(scratch, { recursive: true, force: true });
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
