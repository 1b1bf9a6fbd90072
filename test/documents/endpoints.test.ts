/** docs/api.md's table of endpoints: those of /openapi.json, and no other. */
import { expect, test } from 'vitest';
import { fakeApp } from '../support/hosts/fake-app.ts';
import { codeSpans, tableOf } from './markdown.ts';

const PAGE = 'docs/api.md';

test('has a row for every endpoint', async () => {
  const { json } = await fakeApp().ask('/openapi.json');
  const described = Object.entries(json.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const told = tableOf(PAGE, '| endpoint | whose clients |').flatMap(([endpoint = '']) => codeSpans(endpoint));
  expect(told.sort()).toEqual(described.sort());
});

test('limits are of endpoints that there are', async () => {
  const { json } = await fakeApp().ask('/openapi.json');
  const told = tableOf(PAGE, '| endpoint | field | limit |').flatMap(([endpoint = '']) => codeSpans(endpoint));
  expect(told.length).toBeGreaterThan(3);
  for (const path of told) expect(Object.keys(json.paths)).toContain(path);
});

test('statuses are those that the description knows', async () => {
  const { json } = await fakeApp().ask('/openapi.json');
  const described = new Set(
    Object.values<Record<string, { responses: object }>>(json.paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ responses }) => Object.keys(responses)),
    ),
  );
  const told = tableOf(PAGE, '| status | when |').flatMap(([status = '']) => status.split(', '));
  for (const status of described) {
    // 200 is success; 500 needs no row.
    if (status !== '200' && status !== '500') expect(told).toContain(status);
  }
});
