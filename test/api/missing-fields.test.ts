/** Every field that a route's own description calls required: leaving it out is the same error everywhere. */
import { expect, test } from 'vitest';
import { postRoutes } from '../abuse/schema-bodies.ts';
import { fakeApp } from '../support/hosts/fake-app.ts';

const { ask, post } = fakeApp();
const routes = postRoutes((await ask('/openapi.json')).json);
const required = routes.flatMap(({ path, schema }) =>
  ((schema.required ?? []) as string[]).map((field) => [path, field] as const),
);

test('every route requires something, but that of edits, whose code may come in two forms', () => {
  const free = routes.map(({ path }) => path).filter((path) => !required.some(([of]) => of === path));
  expect(free).toEqual(['/v1/edit/completions']);
});

test.each([...required, ['/v1/edit/completions', 'code'] as const])('%s without %s', async (path, field) => {
  const others = required.filter(([of, name]) => of === path && name !== field);
  const { status, json } = await post(Object.fromEntries(others.map(([, name]) => [name, 'a'])), path);
  expect([status, json.error.code, json.error.param]).toEqual([400, 'missing_required_parameter', field]);
  expect(json.error.message).toMatch(new RegExp(`^Missing required parameter: '${field}'( or 'messages')?\\.$`));
});
