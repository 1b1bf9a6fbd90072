/** The table of families in docs/checkpoints.md: each cell is a test of that family, and no cell says more than a test. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { wholeTableOf } from '../documents/markdown.ts';
import { convertFamily, FAMILIES, type FamilyName, FULL_CANVAS } from '../support/engines/families.ts';

const ROWS: Readonly<Record<string, readonly FamilyName[]>> = {
  'tiny-a2d bd3lm, Qwen2 and Qwen3': ['tiny-a2d-bd3lm', 'tiny-a2d-qwen3-bd3lm'],
  SDAR: ['sdar'],
  'Stable-DiffCoder': ['stable-diffcoder'],
  'Fast-dLLM v2': ['fast-dllm-v2'],
  'tiny-a2d mdlm': ['tiny-a2d-mdlm'],
  'Open-dCoder': ['open-dcoder'],
  Dream: ['dream'],
};

interface Column {
  /** Tests that run for every family, and pass or this suite does not. */
  readonly tests: readonly (readonly [file: string, name: string])[];
  /** What a cell says of a family with an exact cache, and of one without. */
  readonly exact: string;
  readonly full: string;
}

const COLUMNS: Readonly<Record<string, Column>> = {
  converts: {
    tests: [
      ['test/convert/families.test.ts', 'gets its semantics from its files and the table'],
      ['test/convert/families.test.ts', 'lets flags override all of it'],
      ['test/convert/families.test.ts', 'names a tensor that is missing, and one of another shape'],
    ],
    exact: 'yes',
    full: 'yes',
  },
  'logits within 1e-3': {
    tests: [
      ['test/model/families.test.ts', 'scalar oracle without a cache = PyTorch'],
      ['test/model/families.test.ts', 'WASM %s over a cache = PyTorch'],
    ],
    exact: 'yes',
    full: 'yes',
  },
  'same ids in the same steps': {
    tests: [['test/engine/families.test.ts', 'decides the same ids in the same steps']],
    exact: 'yes',
    full: 'yes',
  },
  'cached = uncached': {
    tests: [
      ['test/model/families.test.ts', 'what is committed does not change when later tokens do'],
      ['test/engine/families.test.ts', 'decides the same after an equal prompt, whose KV it may reuse'],
      [
        'test/engine/families.test.ts',
        'decides the same ids in the same steps over an approximate cache, where its context is full',
      ],
    ],
    exact: 'yes',
    full: "approximate, as PyTorch's",
  },
  'stops where it does': {
    tests: [['test/engine/families.test.ts', 'stops where its own code does']],
    exact: 'yes',
    full: 'text yes, in fewer steps',
  },
};

const [[, ...columns] = [], , ...rows] = wholeTableOf('docs/checkpoints.md', '| family | converts |');

test('has a row for every family and a column for every claim', () => {
  expect(rows.map(([label]) => label)).toEqual(Object.keys(ROWS));
  expect(Object.values(ROWS).flat()).toEqual([...FAMILIES]);
  expect(columns).toEqual(Object.keys(COLUMNS));
});

test.each(rows.map(([label = '', ...cells]) => [label, cells] as const))('%s', async (label, cells) => {
  for (const family of ROWS[label] ?? []) {
    const { contextAttention } = await readModelConfig(await convertFamily(family));
    const full = contextAttention === 'full';
    expect(FULL_CANVAS.some((name) => name === family)).toBe(full);
    expect(cells).toEqual(Object.values(COLUMNS).map((column) => (full ? column.full : column.exact)));
  }
});

describe('a column is tests of all families', () => {
  const claims = Object.entries(COLUMNS).flatMap(([column, { tests }]) => tests.map((of) => [column, ...of] as const));

  test.each(claims)('%s: %s, %s', (_column, file, name) => {
    const source = readFileSync(file, 'utf8');
    const [, each = ''] = source.split("\ndescribe.each(FAMILIES)('%s', ");
    const [own = ''] = each.split('\n});\n');
    expect(own).toMatch(new RegExp(`  (it|test)(\\.each\\(\\w+\\))?\\('${name.replace(/[%()]/g, '\\$&')}', `));
    // None is left out.
    expect(own).not.toMatch(/\.(skip|todo|only|skipIf|runIf)\b/);
  });
});
