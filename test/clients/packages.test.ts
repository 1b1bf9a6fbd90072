/** The table of packages in `docs/clients.md`, as far as it can be held without their environments, and their locks. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readTable } from './packages/table.ts';

const PACKAGES = join(import.meta.dirname, 'packages');
const table = readTable();
const read = (client: string, file: string) => readFileSync(join(PACKAGES, client, file), 'utf8');

interface NpmLock {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity?: string }>>;
}

test('every client has a program, and every program a column', () => {
  const programs = readdirSync(PACKAGES).filter((name) =>
    ['calls.py', 'calls.mjs'].some((program) => existsSync(join(PACKAGES, name, program))),
  );
  expect(table.map(({ client }) => client).sort()).toEqual(programs.sort());
  expect(programs.length).toBeGreaterThanOrEqual(7);
});

describe.each(table.map((column) => [column.client, column] as const))('%s', (client, { version, cells }) => {
  const python = existsSync(join(PACKAGES, client, 'calls.py'));

  test('has the calls of its column', () => {
    const program = read(client, python ? 'calls.py' : 'calls.mjs');
    const calls = Array.from(program.matchAll(/^(?:await )?call\(["']([^"']+)["']/gm), ([, call]) => call);
    expect(calls.sort()).toEqual([...cells.keys()].sort());
  });

  test('is locked to the version of its column, and the lock names no host', () => {
    if (python) {
      const name = read(client, 'requirements.in').trim();
      const lock = read(client, 'requirements.txt');
      expect(lock).toMatch(new RegExp(`^${name}==${version.replaceAll('.', '\\.')} `, 'm'));
      expect(lock).not.toMatch(/:\/\/|--index-url|--find-links/);
      const pinned = lock.split('\n').filter((line) => /^[\w.-]+(\[\w+\])?==/.test(line));
      expect(pinned.length).toBeGreaterThan(5);
      // Its hashes are on the lines that follow.
      expect(pinned.filter((line) => !line.endsWith('\\'))).toEqual([]);
    } else {
      const { dependencies } = JSON.parse(read(client, 'package.json'));
      const [name = ''] = Object.keys(dependencies);
      expect(dependencies).toEqual({ [name]: version });
      const { '': _root, ...locked } = (JSON.parse(read(client, 'package-lock.json')) as NpmLock).packages;
      expect(locked[`node_modules/${name}`]?.version).toBe(version);
      expect(Object.values(locked).filter(({ integrity }) => !integrity)).toEqual([]);
      expect(read(client, 'package-lock.json')).not.toContain('"resolved"');
    }
  });
});
