import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

interface LockedPackage {
  /** Where it is not the folder's: of a package under another's name. */
  readonly name?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

const read = async (file: string) => JSON.parse(await readFile(new URL(`../../${file}`, import.meta.url), 'utf8'));
const manifest = await read('package.json');
const { '': _root, ...locked }: Record<string, LockedPackage> = (await read('package-lock.json')).packages;
/** The name and facts of every package, nested ones too. */
const packages = Object.entries(locked).map(([folder, facts]) => ({
  ...facts,
  name: facts.name ?? folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length),
}));
const production = packages.filter(({ dev }) => !dev);

test('the lock has production packages and others', () => {
  expect(production.map(({ name }) => name)).toContain('hono');
  expect(production.length).toBeGreaterThan(10);
  expect(packages.filter(({ dev }) => dev).map(({ name }) => name)).toContain('vitest');
});

test('no production package runs a script when it is installed', () => {
  expect(production.filter(({ hasInstallScript }) => hasInstallScript)).toEqual([]);
});

test('no package reports to others that it was installed', () => {
  expect(packages.filter(({ name }) => name.startsWith('@scarf/'))).toEqual([]);
});

test('every other package with such a script is named in allowScripts, and lefthook may not run its own', () => {
  const scripts = new Set(packages.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name));
  expect([...scripts].sort()).toEqual(Object.keys(manifest.allowScripts).sort());
  expect(manifest.allowScripts.lefthook).toBe(false);
});

test.each(['onnxruntime-web', 'webgpu'])('%s is installed for development, and where somebody asks for it', (name) => {
  expect(manifest.peerDependencies[name]).toBe(manifest.devDependencies[name]);
  expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
  expect(manifest.dependencies[name]).toBeUndefined();
  expect(manifest.optionalDependencies?.[name]).toBeUndefined();
  expect(locked[`node_modules/${name}`]?.dev).toBe(true);
});
