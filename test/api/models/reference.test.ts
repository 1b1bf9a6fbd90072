/** The description of the API and the page that shows it. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fakeApp } from '../../support/hosts/fake-app.ts';

// biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
const document: Promise<any> = fakeApp()
  .ask('/openapi.json')
  .then(({ json }) => json);

test('describes every route that the app has', async () => {
  const { app } = fakeApp();
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path !== '/openapi.json')
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/, '{$1}')}`);
  const { paths } = await document;
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual([...new Set(routes)].sort());
});

test('every reference in it is there, every field of a request says what it is', async () => {
  const { components, paths } = await document;
  const references = JSON.stringify({ components, paths }).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  for (const [, name] of references) expect(Object.keys(components.schemas)).toContain(name);
  for (const name of ['ChatRequest', 'CompletionRequest', 'EditRequest', 'FimRequest', 'InfillRequest']) {
    const { properties } = components.schemas[name];
    expect(Object.keys(properties).length).toBeGreaterThan(10);
    for (const field of ['stop', 'seed', 'temperature'] as const) {
      expect(properties[field].description, `${name}.${field}`).toMatch(/\w/);
    }
  }
});

test('names every setting of an edit with its default', async () => {
  const { components } = await document;
  const { settings } = components.schemas.EditRequest.properties;
  const { properties } = settings;
  expect(properties.tau_mask.description).toMatch(/Default 0\.001\.$/);
  expect(properties.max_forwards.description).toMatch(/Default 512\.$/);
  expect(properties).not.toHaveProperty('maxForwards');
});

test('the page asks nobody else for anything', () => {
  for (const file of readdirSync('docs/reference')) {
    const text = readFileSync(`docs/reference/${file}`, 'utf8');
    expect(text, file).not.toMatch(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]/i);
  }
  const css = readFileSync('node_modules/swagger-ui-dist/swagger-ui.css', 'utf8');
  expect(css).not.toMatch(/@import|url\((?!["']?data:)/);
});

test('the viewer comes without the telemetry package that it names as a dependency', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const installed = Object.entries<{ name?: string; hasInstallScript?: boolean }>(packages).filter(([path]) =>
    path.endsWith('node_modules/@scarf/scarf'),
  );
  expect(installed.map(([, { name, hasInstallScript }]) => ({ name, hasInstallScript }))).toEqual([
    { name: 'empty-npm-package', hasInstallScript: undefined },
  ]);
});

test('keys, refused methods and deadlines are in the description, and the version is the package', async () => {
  const { info, components, security, paths } = await document;
  expect(info.version).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
  expect(components.securitySchemes.bearer).toMatchObject({ type: 'http', scheme: 'bearer' });
  expect(components.securitySchemes.apiKey).toMatchObject({ type: 'apiKey', in: 'header', name: 'x-api-key' });
  expect(security).toEqual([{ bearer: [] }, { apiKey: [] }, {}]);
  expect(paths['/health'].get.security).toEqual([]);
  for (const [path, methods] of Object.entries(paths as Record<string, Record<string, { responses: object }>>)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      if (path === '/v1/apply/completions') continue;
      expect(Object.keys(responses), `${method} ${path}`).toContain('405');
      // Nobody needs a key for it.
      if (path !== '/health') expect(Object.keys(responses), `${method} ${path}`).toContain('401');
      if (method === 'post') expect(Object.keys(responses), `${method} ${path}`).toContain('504');
    }
  }
});
