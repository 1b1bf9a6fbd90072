import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { withAssets } from '../src/node-assets.ts';
import { fakeApp } from './support/fake-app.ts';

let site: ReturnType<typeof withAssets>;

beforeAll(async () => {
  const outside = await mkdtemp(join(tmpdir(), 'seedling-assets-'));
  const directory = join(outside, 'assets');
  await mkdir(directory);
  await writeFile(join(outside, 'secret.txt'), 'secret');
  await writeFile(join(directory, 'index.html'), '<!doctype html>');
  site = withAssets(fakeApp().app, directory);
});

test('the page is at the root', async () => {
  const response = await site.request('/');
  expect([response.status, await response.text()]).toEqual([200, '<!doctype html>']);
  expect(response.headers.get('content-type')).toMatch('text/html');
});

test('what is no file is the app’s, with its errors', async () => {
  expect((await site.request('/v1/models')).status).toBe(200);
  const response = await site.request('/nothing');
  expect(await response.json()).toMatchObject({ error: { code: 'unknown_url' } });
  expect((await site.request('/', { method: 'POST' })).status).toBe(404);
});

test.each(['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt'])('%s leads nowhere', async (path) => {
  const response = await site.request(path);
  expect(response.status).not.toBe(200);
});
