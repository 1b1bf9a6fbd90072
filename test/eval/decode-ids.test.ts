import { expect, test } from 'vitest';
import { ByteTokenizer } from '../support/byte-tokenizer.ts';
import { decodeIds } from './decode-ids.ts';

test('ids become text, special ones nothing', () => {
  const tokenizer = new ByteTokenizer();
  expect(decodeIds(tokenizer, [...tokenizer.encode('é'), 256, ...tokenizer.encode('x')])).toBe('éx');
});
