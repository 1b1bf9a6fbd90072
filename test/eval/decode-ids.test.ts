import { expect, test } from 'vitest';
import { decodeIds } from '../../eval/heldout/decode-ids.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';

test('ids become text, special ones nothing', () => {
  const tokenizer = new ByteTokenizer();
  expect(decodeIds(tokenizer, [...tokenizer.encode('é'), 256, ...tokenizer.encode('x')])).toBe('éx');
});
