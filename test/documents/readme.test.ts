/** The README's request and answer are real, and its figures are those of docs/measurements.md and of the model card. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { assembleEngine } from '../../src/hosts/assemble.ts';
import { readSettings } from '../../src/hosts/settings.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { kernelModules } from '../support/engines/kernels.ts';
import { messages } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';
import { tableOf } from './markdown.ts';

const readme = readFileSync('README.md', 'utf8');

test('the curl of the README gets the answer of the README', async () => {
  const [, body = ''] = /curl -N localhost:8787\/v1\/completions [^']*'[^']*' \\\n {2}-d '(.*)'\n/.exec(readme) ?? [];
  const settings = readSettings({});
  const load = () =>
    assembleEngine({ ...settings, source: directorySource(`models/${settings.model}`), kernels: kernelModules });
  const app = openApp(createHost({ modelName: settings.model, settings, load }));
  // How wide the window is follows from what a forward costs on this host at this moment. The text does not, the events do.
  const alone = JSON.stringify({ ...JSON.parse(body), decoding: { block_length: 1 } });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: alone };
  const events = messages(await (await app.request('/v1/completions', init)).text());
  expect(events.pop()).toBe('[DONE]');

  const told = Array.from(readme.matchAll(/^data: (\{.*\})$/gm), ([, line = '']) => line);
  expect(told.length).toBe(3);
  // What differs from run to run, and what the README leaves out.
  const alike = told.map((line) =>
    JSON.parse(
      line
        .replace(', …}', '}')
        .replace(/"cmpl-\w+…"/, `"${events[0].id}"`)
        .replace(/"created":\d+/, `"created":${events[0].created}`),
    ),
  );
  expect(events[0]).toEqual(alike[0]);
  expect(events[1]).toEqual(alike[1]);
  const { seedling: _, ...last } = events.at(-1);
  const { seedling: cost, ...lastTold } = alike[2];
  expect(last).toEqual(lastTold);
  expect(Object.keys(events.at(-1).seedling)).toEqual(expect.arrayContaining(Object.keys(cost)));
  const text = events.map(({ choices }) => choices[0].text).join('');
  expect(readme).toContain(`the whole text is \`${text}\``);
  expect(readme).toContain(`The ${['seven', 'eight', 'nine', 'ten'][events.length - 3 - 7]} between them`);
});

test('its figures of speed are rows of docs/measurements.md', () => {
  const measured = tableOf('docs/measurements.md', '| `npm run bench -- decode`');
  const told = tableOf('README.md', '| on one thread');
  expect(told.length).toBeGreaterThan(3);
  for (const row of told) expect(measured).toContainEqual(row);
});

test('its figures of quality are those of the model card', () => {
  const card = 'models/seedling-135m/README.md';
  const told = Object.fromEntries(tableOf('README.md', '| what was measured'));
  const [writing = [], , , byEditing = [], lines = []] = [
    'HumanEval in TypeScript',
    'HumanEvalFix',
    'the same: edit',
    'the same, by editing',
    '48 single lines',
  ].map((start) => tableOf(card, '| | this | base |').find(([name = '']) => name.startsWith(start)));
  expect(told['HumanEval in TypeScript, pass@1']).toBe(writing[1]);
  expect(byEditing[1]).toContain(told['HumanEvalFix in JavaScript, mended by editing'] ?? 'nothing');
  expect(lines[1]?.split(', ')[0]).toBe(told['held-out single lines filled exactly']?.split(' of ')[0]);
  expect(lines[0]).toContain(told['held-out single lines filled exactly']?.split(' of ')[1] ?? 'nothing');
  const [accuracy = []] = tableOf(card, '| | version 0 |');
  expect(accuracy[0]).toBe('causal accuracy');
  expect(told['next token of held-out packages, greedy']).toBe(`${Math.round(Number(accuracy.at(-1)) * 100)}% right`);
});

test('its number of families is that of the table', () => {
  const families = tableOf('docs/checkpoints.md', '| family, `--family` |');
  expect(readme).toContain(`decoders of ${['seven', 'eight', 'nine', 'ten'][families.length - 7]} families`);
});
