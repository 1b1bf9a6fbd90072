import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { clientOf } from '../../src/api/middleware/api-keys.ts';
import { readSettings } from '../../src/hosts/settings.ts';

const makeKey = (...name: string[]) =>
  execFileSync(process.execPath, ['scripts/make-key.ts', ...name], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

test('what it prints as the setting lets in what it prints as the key', async () => {
  const [, key = '', setting = ''] = /^key: +(\S+)\nAPI_KEYS: +(\S+)\n$/.exec(makeKey('alice')) ?? [];
  const { keys } = readSettings({ API_KEYS: setting }).access;
  expect((await clientOf(key, keys))?.keyName).toBe('alice');
  expect(await clientOf(`${key}x`, keys)).toBeNull();
  expect(key.length).toBeGreaterThanOrEqual(43);
});

test('a name that a setting could not hold is refused', () => {
  expect(() => makeKey('a b')).toThrow(/is not\./);
});
