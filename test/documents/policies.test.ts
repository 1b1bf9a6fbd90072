/** docs/api.md's table of policies: the policies that there are, their parameters and defaults. */
import { expect, test } from 'vitest';
import { DEFAULTS, defaultMaxTokens } from '../../src/engine/defaults.ts';
import { policyDefaults, policyNames, readersOf } from '../../src/sampler/policies/index.ts';
import { MOST_STEPS } from '../../src/sampler/policies/schedule.ts';
import { codeSpans, tableOf } from './markdown.ts';

const PAGE = 'docs/api.md';
const rows = tableOf(PAGE, '| policy | decides |');

test('has a row for every policy, in their order', () => {
  expect(rows.map(([name]) => name)).toEqual(policyNames.map((name) => `\`${name}\``));
});

test.each(policyNames.map((name, i) => [name, rows[i] ?? []] as const))(
  '%s',
  (name, [, , parameters = '', shown = '']) => {
    const named = codeSpans(parameters);
    expect(named.length).toBeGreaterThan(0);
    for (const parameter of named) expect(readersOf(parameter)).toContain(name);
    const defaults: Readonly<Record<string, unknown>> = policyDefaults(name, false);
    const verified: Readonly<Record<string, unknown>> = policyDefaults(name, true);
    const told = named.map((parameter) => {
      const value = defaults[parameter];
      // No block has more positions, so as many steps are one position each.
      if (parameter === 'steps' && value === MOST_STEPS) return 'one position a forward';
      const plain = typeof value === 'string' ? `\`${value}\`` : `${value}`;
      return verified[parameter] === value ? plain : `${plain}; with \`verify\` ${verified[parameter]}`;
    });
    expect(shown).toBe(told.join(', '));
  },
);

test('the default policy, remasking and approximate cache', () => {
  const fields = Object.fromEntries(
    tableOf(PAGE, '| field | meaning | default |').map(([name = '', ...rest]) => [name, rest]),
  );
  expect(fields['`policy`']?.[1]).toContain(`else \`${DEFAULTS.policy}\``);
  const { strategy, sigma } = DEFAULTS.remasking;
  expect(fields['`remasking`']?.[0]).toContain(`{"strategy": "${strategy}", "sigma": ${sigma}, `);
  expect(fields['`approximate_cache`']?.[0]).toContain(`{"kind": "${DEFAULTS.approximateCache.kind}", `);
});

test('the default number of new tokens of each endpoint', () => {
  const endpoints = {
    '`/v1/completions`': 'completions',
    '`/v1/chat/completions`': 'chat',
    '`/v1/fim/completions`': 'fim',
    '`/infill`, `/completion`': 'llama',
  } as const;
  expect(Object.values(endpoints)).toEqual(Object.keys(DEFAULTS.maxTokens));
  const told = Object.entries(endpoints).map(([path, endpoint]) => [path, `${DEFAULTS.maxTokens[endpoint]}`]);
  expect(tableOf(PAGE, '| endpoint | default number of new tokens |')).toEqual(told);
  expect(defaultMaxTokens('chat', 8)).toBe(8);
});
