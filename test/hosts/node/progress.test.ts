import { expect, test } from 'vitest';
import { progressLine } from '../../../src/hosts/node/host/progress.ts';

const MIB = 1 << 20;

function told(isTTY: boolean): string[] {
  const written: string[] = [];
  const progress = progressLine('Loading x', { isTTY, write: (text: string) => written.push(text) > 0 } as never);
  for (let done = 0; done <= 100; done++) progress(done * MIB, 100 * MIB);
  progress(100 * MIB, 100 * MIB);
  return written;
}

test('a log gets four lines', () => {
  expect(told(false)).toEqual([25, 50, 75, 100].map((part) => `Loading x: ${part} of 100 MiB\n`));
});

test('a terminal gets one line that ends full', () => {
  const lines = told(true);
  expect(lines.at(-1)).toBe(`\rLoading x [${'='.repeat(24)}] 100 of 100 MiB\n`);
  expect(lines.join('').match(/\n/g)).toHaveLength(1);
});
