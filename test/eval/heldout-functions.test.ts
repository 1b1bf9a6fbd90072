import { describe, expect, it } from 'vitest';
import { heldoutFunctions } from '../../eval/heldout/heldout-functions.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';

const FUNCTION = `export function first(list: number[]): number {
  if (list.length === 0) {
    throw new Error('empty');
  }
  return list[0];
}
`;
const METHOD = `  async second(name, { deep = false }) {
    for (const one of this.all) {
      if (one.name === name) return one;
    }
  }
`;
const PYTHON = `def third(values):
    total = 0

    for value in values:
        total += value
    return total
`;
const held = (name: string, text: string) => ({ name, tokens: Uint16Array.from(new TextEncoder().encode(text)) });

describe('held-out functions', () => {
  it('are whole: functions, methods, and those of Python', () => {
    const packages = [
      held('js', `const x = 1;\n\n${FUNCTION}\nclass A {\n${METHOD}}\n`),
      held('py', `import sys\n\n${PYTHON}\nprint(third(sys.argv))\n`),
    ];
    const found = heldoutFunctions(packages, new ByteTokenizer(), 3);
    expect(found.map(({ package: name, text }) => [name, text])).toEqual([
      ['js', FUNCTION],
      ['js', METHOD],
      ['py', PYTHON],
    ]);
    expect(found.map(({ tokens, text }) => tokens === text.length)).toEqual([true, true, true]);
  });

  it('are neither very short nor long', () => {
    const long = `function long() {\n${'  go();\n'.repeat(40)}}\n`;
    expect(heldoutFunctions([held('js', `function a() {\n}\n${long}`)], new ByteTokenizer(), 5)).toEqual([]);
  });
});
