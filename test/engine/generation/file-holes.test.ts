/** C6 on the shipped model: a hole is filled alike whatever the file's line breaks are. */
import { expect, test } from 'vitest';
import { fileAroundHole, withLineBreaks } from '../../../src/engine/generation/line-breaks.ts';
import { openEngine } from '../../support/engines/engine.ts';
import { collect, request } from '../requests.ts';

const engine = await openEngine('seedling-135m');

async function fill(sentPrefix: string, sentSuffix: string) {
  const { prefix, suffix, lineBreak } = fileAroundHole(sentPrefix, sentSuffix);
  const decoding = { threshold: 0.3, verify: true };
  const asked = request({ prompt: prefix, suffix, lineBreak, textKind: 'content', maxTokens: 40, decoding });
  const { text, done } = await collect(engine.generate(asked));
  return { text, reason: done.type === 'done' ? done.finishReason : null };
}

test.each([
  ['def add(a, b):\n    result = a + b\n', '    return result\n\nprint(add(1, 2))\n', ''],
  ['x = 1\n', '\nprint(x)\n', null],
  ['function area(width: number, height: number) {\n  return ', ';\n}\n', null],
  ['for (const name of names) {\n', '}\n', null],
])('%j and %j', async (prefix, suffix, expected) => {
  const feeds = await fill(prefix, suffix);
  if (expected !== null) expect(feeds).toEqual({ text: expected, reason: 'stop' });
  expect(`${feeds.text}${suffix}`.split('print(x)').length).toBeLessThan(3);
  for (const lineBreak of ['\r\n', '\r'] as const) {
    const own = await fill(withLineBreaks(prefix, lineBreak), withLineBreaks(suffix, lineBreak));
    expect(own).toEqual({ ...feeds, text: withLineBreaks(feeds.text, lineBreak) });
  }
});
