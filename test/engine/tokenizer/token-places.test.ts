/** C12: a token has one log probability, in its own place and among the alternatives. */
import { expect, test } from 'vitest';
import { TokenPlaces } from '../../../src/engine/tokenizer/token-places.ts';
import { ByteTokenizer } from '../../support/engines/byte-tokenizer.ts';

const [A, B, C] = [97, 98, 99] as const;

test.each([
  [
    'the best',
    {
      id: A,
      prob: 0.60003,
      alternatives: [
        { id: A, prob: 0.6 },
        { id: B, prob: 0.3 },
      ],
    },
    [0.60003, 0.3],
  ],
  [
    'the second',
    {
      id: B,
      prob: 0.29998,
      alternatives: [
        { id: A, prob: 0.6 },
        { id: B, prob: 0.3 },
      ],
    },
    [0.6, 0.29998],
  ],
  [
    'the last',
    {
      id: C,
      prob: 0.00001,
      alternatives: [
        { id: A, prob: 0.6 },
        { id: C, prob: 0.00002 },
      ],
    },
    [0.6, 0.00001],
  ],
  [
    'a near tie, turned',
    {
      id: B,
      prob: 0.40001,
      alternatives: [
        { id: A, prob: 0.4 },
        { id: B, prob: 0.4 },
      ],
    },
    [0.40001, 0.4],
  ],
  [
    'none of them',
    {
      id: C,
      prob: 0.1,
      alternatives: [
        { id: A, prob: 0.6 },
        { id: B, prob: 0.3 },
      ],
    },
    [0.6, 0.3],
  ],
  ['one without a probability', { id: A, prob: null, alternatives: [{ id: A, prob: 0.6 }] }, [0.6]],
  ['one without alternatives', { id: A, prob: 0.5, alternatives: [] }, []],
])('%s', (_name, judged, probs) => {
  const places = new TokenPlaces(new ByteTokenizer());
  places.add(judged, 0);
  const [token] = places.take(1);
  expect(token!.alternatives.map(({ prob }) => prob)).toEqual(probs);
  const own = token!.alternatives.find(({ bytes }) => bytes[0] === judged.id);
  if (own && judged.prob !== null) expect(own.prob).toBe(token!.prob);
});
