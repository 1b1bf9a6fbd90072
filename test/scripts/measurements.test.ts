import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Measurements } from '../../bench/all.ts';
import { fillTables } from '../../scripts/measurements/fill.ts';

const kernels = {
  suite: 'kernels',
  gmacs: { 1: 22.7, 2: 38.8 },
  gmacs_int8: { 1: 14.8, 2: 25 },
  gmacs_ort_int4: { 1: 0.2, 2: 0.5 },
  gmacs_ort_int8: { 1: 1.8, 2: 4.3 },
  gmacs_native_int4: null,
  fastest: { gmacs: { 1: 30, 2: 40.06 } },
};
const measurements = (suites: Measurements['suites']): Measurements => ({
  date: '2026-11-30T10:00:00.000Z',
  commit: 'abc',
  processor: { model: 'Example CPU', vnni: false, cores: 2 },
  suites,
});
const document = 'Before\n<!-- begin kernels -->\nold\n<!-- end kernels -->\nafter\n';

describe('fillTables', () => {
  it('writes a table between its markers and leaves the prose alone', () => {
    const { text, filled } = fillTables(document, measurements({ kernels }));
    expect(filled).toEqual(['kernels']);
    expect(text.startsWith('Before\n<!-- begin kernels -->\n| `npm run bench -- kernels`')).toBe(true);
    expect(text).toContain('| int4 weights | 22.7 | 38.8 |');
    expect(text).toContain('| int8 weights | 14.8 | 25.0 |');
    expect(text).toContain('| int4 weights, fastest rounds | 30.0 | 40.1 |');
    expect(text.endsWith('|\n<!-- end kernels -->\nafter\n')).toBe(true);
    expect(text).not.toContain('old');
  });

  it('has a row for a native peer where it ran', () => {
    const line = 'native onnxruntime';
    expect(fillTables(document, measurements({ kernels })).text).not.toContain(line);
    const beside = { ...kernels, gmacs_native_int4: { 1: 11.6, 2: 22.1 } };
    expect(fillTables(document, measurements({ kernels: beside })).text).toContain(
      `| ${line} \`MatMulNBits\` (int4), one thread | 11.6 | 22.1 |`,
    );
  });

  it('gives the same text when run again', () => {
    const once = fillTables(document, measurements({ kernels })).text;
    expect(fillTables(once, measurements({ kernels })).text).toBe(once);
  });

  it('names the machine', () => {
    const { text } = fillTables('<!-- begin machine -->\n<!-- end machine -->', measurements({}));
    expect(text).toContain('Measured 2026-11-30 on 2 cores of an Example CPU, without VNNI, commit `abc`.');
  });

  it('keeps the table of a suite that failed or did not run', () => {
    expect(fillTables(document, measurements({}))).toEqual({ text: document, filled: [], kept: ['kernels'] });
    expect(fillTables(document, measurements({ kernels: { error: 'no' } })).kept).toEqual(['kernels']);
  });

  it('refuses a marker that it does not know, one without an end, and a result without a figure', () => {
    expect(() => fillTables('<!-- begin speed -->\n<!-- end speed -->', measurements({}))).toThrow('no table speed');
    expect(() => fillTables('<!-- begin kernels -->\n', measurements({ kernels }))).toThrow('has no end');
    const { gmacs, ...rest } = kernels;
    expect(() => fillTables(document, measurements({ kernels: rest }))).toThrow('has no gmacs');
  });

  it('finds every marker of docs/measurements.md', async () => {
    const text = await readFile(new URL('../../docs/measurements.md', import.meta.url), 'utf8');
    const { kept } = fillTables(text, measurements({}));
    expect(kept.length).toBeGreaterThan(0);
  });
});
