/** The table of `docs/clients.md` that says what each package does here. The tests take it for what must be true. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Column {
  /** The head of the column. The package's program lies in a folder of this name. */
  readonly client: string;
  /** Of the package, in the row `version`. */
  readonly version: string;
  /** What the table says of each call that the package has. */
  readonly cells: ReadonlyMap<string, string>;
}

/** The row without a call. */
const VERSION = 'version';
const NO_SUCH_CALL = '–';

function rows(): readonly (readonly string[])[] {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/clients.md'), 'utf8');
  const [, section = ''] = page.split('\n## Packages\n');
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '));
}

export function readTable(): readonly Column[] {
  const [[, ...clients] = [], ...calls] = rows();
  return clients.map((client, j) => {
    const column = calls.map(([call = '', ...cells]) => [call, (cells[j] ?? '').replaceAll('`', '')] as const);
    const { [VERSION]: version = '', ...cells } = Object.fromEntries(column);
    return { client, version, cells: new Map(Object.entries(cells).filter(([, cell]) => cell !== NO_SUCH_CALL)) };
  });
}
