/** Puts tables between their markers. */
import type { Measurements } from '../../bench/all.ts';
import { TABLES } from './tables.ts';

export interface Filled {
  readonly text: string;
  /** Names of the tables that were written. */
  readonly filled: readonly string[];
  /** Names of the tables that stay, because the measurements have no result of their suite. */
  readonly kept: readonly string[];
}

/** @throws Error on a marker of an unknown name, or on one without its end */
export function fillTables(document: string, measurements: Measurements): Filled {
  const { suites } = measurements;
  const [filled, kept]: [string[], string[]] = [[], []];
  const begins = [...document.matchAll(/<!-- begin (\S+) -->/g)].map(([, name]) => name!);
  for (const name of begins) {
    if (name !== 'machine' && !(name in TABLES)) throw new Error(`there is no table ${name}`);
    if (!document.includes(`<!-- end ${name} -->`)) throw new Error(`the table ${name} has no end`);
  }
  const text = document.replace(/(<!-- begin (\S+) -->\n)[\s\S]*?(<!-- end \2 -->)/g, (all, begin, name, end) => {
    if (name === 'machine') {
      filled.push(name);
      return `${begin}${machine(measurements)}\n${end}`;
    }
    const result = suites[name];
    if (result === undefined || 'error' in result) {
      kept.push(name);
      return all;
    }
    filled.push(name);
    return `${begin}${TABLES[name]!(result as Record<string, unknown>)}\n${end}`;
  });
  return { text, filled, kept };
}

function machine({ date, commit, processor }: Measurements): string {
  const vnni = processor.vnni === null ? '' : `, ${processor.vnni ? 'with' : 'without'} VNNI`;
  const cores = processor.cores === 1 ? '1 core' : `${processor.cores} cores`;
  return `Measured ${date.slice(0, 10)} on ${cores} of an ${processor.model}${vnni}, commit \`${commit}\`.`;
}
