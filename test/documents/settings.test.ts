/** docs/settings.md: a row for every setting that a host reads, with the default that it has. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { readNodeSettings } from '../../src/hosts/node/host/settings.ts';
import { readSettings } from '../../src/hosts/settings.ts';

const sections = readFileSync('docs/settings.md', 'utf8').split('\n## ');

/** Rows about settings: name, default, meaning. */
function rowsOf(section: string): string[][] {
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2, -2).split(' | '));
}

/** Name -> default, as the page writes them. */
function defaultsOf(section: string): Readonly<Record<string, string>> {
  const own = sections.find((text) => text.startsWith(`${section}\n`)) ?? '';
  return Object.fromEntries(rowsOf(own).map(([name = '', value = '']) => [name, value]));
}

const code = (value: string) => `\`${value}\``;

test('every host', () => {
  const { access, queue, rate, patience, ...settings } = readSettings({});
  expect(access.keys).toEqual([]);
  expect(access.corsOrigins).toEqual([]);
  expect(defaultsOf('Every host')).toEqual({
    '`MODEL`': code(settings.model),
    '`MEMORY_BUDGET_MIB`': `${settings.memoryBudgetBytes / 2 ** 20}`,
    '`KV_TOKENS`': `${settings.kvTokens}`,
    '`ACTIVATIONS`': code(settings.activations),
    '`MAX_TOKENS`': `${settings.maxTokens}`,
    '`UNKNOWN_FIELDS`': code(settings.unknownFields),
    '`BODY_LIMIT_BYTES`': `${settings.bodyLimitBytes}`,
    '`CONCURRENCY`': `${queue.concurrency}`,
    '`QUEUE_LIMIT`': `${queue.waiting}`,
    '`QUEUE_SECONDS`': `${queue.seconds}`,
    '`PREFIX_CACHE`': code(settings.prefixCache ? 'on' : 'off'),
    '`ACCESS`': code(access.open ? 'open' : 'keys'),
    '`API_KEYS`': 'none',
    '`PUBLIC`': code(access.public.join(',')),
    '`CORS_ORIGINS`': 'none',
    '`ALLOWED_HOSTS`': 'none',
    '`RATE_LIMIT`': `${rate.requests}`,
    '`RATE_SECONDS`': `${rate.seconds}`,
    '`REQUEST_SECONDS`': `${patience.requestSeconds}`,
    '`KEEP_ALIVE_SECONDS`': `${patience.keepAliveSeconds}`,
    '`STALL_SECONDS`': `${patience.stallSeconds}`,
    '`RUNTIME`': code(settings.runtime),
  });
});

test('Node', () => {
  const { port, host, weights, weightsCache, threads, addressHeader, graceSeconds } = readNodeSettings({});
  expect(weights.from).toBe('directory');
  expect(addressHeader).toBeNull();
  expect(defaultsOf('Node only')).toEqual({
    '`PORT`': `${port}`,
    '`HOST`': code(host),
    '`MODELS_DIR`': code(weights.at),
    '`ADDRESS_HEADER`': 'none',
    '`GRACE_SECONDS`': `${graceSeconds}`,
    '`SEEDLING_CACHE`': code(weightsCache.replace(homedir(), '~').replace(/\/weights$/, '')),
    '`THREADS`': `${threads}`,
  });
});

test('Workers: what wrangler.toml says', () => {
  const wrangler = readFileSync('wrangler.toml', 'utf8');
  const rows = defaultsOf('Workers only');
  expect(wrangler).toContain(`cpu_ms = ${rows['`limits.cpu_ms`']}`);
  const [, limit, period] = /simple = \{ limit = (\d+), period = (\d+) \}/.exec(wrangler) ?? [];
  expect(rows['`[[ratelimits]]`']).toBe(`${limit} in ${period} seconds`);
  expect(wrangler).toContain('# [[r2_buckets]]');
});

describe('no setting is left out', () => {
  const rows = sections.flatMap(rowsOf);
  const named = rows.map(([name = '']) => name.slice(1, -1));

  test.each([
    // The schema's names, and what the two hosts read by name.
    ['src/hosts/settings.ts', /^ {2}([A-Z][A-Z_]+): ?/gm],
    ['src/hosts/settings.ts', /^ {2}(API_KEYS),? ?/gm],
    ['src/hosts/node/host/settings.ts', /variables(?:\.|, ')([A-Z][A-Z_]+)/g],
    ['src/hosts/worker/settings.ts', /bindings\.(WEIGHTS(?:_URL)?)\b/g],
  ])('%s %s', (file, pattern) => {
    const names = Array.from(readFileSync(file, 'utf8').matchAll(pattern), ([, name = '']) => name);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(named).toContain(name);
  });

  test('and none is invented: each name stands in the code or in wrangler.toml', () => {
    const sources = [
      'src/hosts/settings.ts',
      'src/hosts/node/host/settings.ts',
      'src/hosts/worker/settings.ts',
      'wrangler.toml',
    ];
    const text = sources.map((file) => readFileSync(file, 'utf8')).join('\n');
    for (const name of named) expect(text, name).toContain(name.split('.').at(-1));
  });
});

test('weights', () => {
  expect(defaultsOf('Weights')).toEqual({
    '`WEIGHTS`': '`assets` on Workers, `directory` on Node',
    '`WEIGHTS_URL`': 'none',
  });
  expect(readFileSync('src/hosts/worker/settings.ts', 'utf8')).toContain("bindings.WEIGHTS || 'assets'");
  expect(readFileSync('src/hosts/node/host/settings.ts', 'utf8')).toContain("variables.WEIGHTS || 'directory'");
});
