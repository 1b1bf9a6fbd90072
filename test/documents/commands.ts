/** The commands that documents name, in fenced blocks and in inline code. */
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';

export interface NamedCommand {
  /** One command, without comment, surrounding whitespace and line breaks. */
  readonly command: string;
  /** `docs/deploy.md:12` */
  readonly place: string;
}

/** The recipe's log is a record of what was run once. */
const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/**/*.md',
  'models/README.md',
  'models/*/README.md',
  'models/recipe/README.md',
];

/** Variables before a command, then the program. */
const COMMAND = /^((?:[A-Z][A-Z0-9_]*=\S*\s+)*)(npm|npx|node|python3?|pip)\s+\S/;

export async function namedCommands(root: string): Promise<NamedCommand[]> {
  const files = new Set<string>();
  for await (const file of glob(DOCUMENTS, { cwd: root })) files.add(file);
  return [...files].sort().flatMap((file) => commandsOf(readFileSync(`${root}/${file}`, 'utf8'), file));
}

export function commandsOf(text: string, file: string): NamedCommand[] {
  const found: NamedCommand[] = [];
  const add = (code: string, line: number) => {
    for (const command of parts(code)) found.push({ command, place: `${file}:${line}` });
  };
  let [fenced, pending, from] = [false, '', 0];
  for (const [i, line] of text.split('\n').entries()) {
    if (/^\s*(```|~~~)/.test(line)) {
      fenced = !fenced;
      pending = '';
    } else if (fenced) {
      if (pending === '') from = i + 1;
      pending += line;
      if (pending.endsWith('\\')) pending = `${pending.slice(0, -1).trimEnd()} `;
      else {
        add(pending, from);
        pending = '';
      }
    }
  }
  // Inline code may go over a line's end.
  const prose = text.replace(/^\s*(```|~~~)[\s\S]*?^\s*\1.*$/gm, (block) => block.replace(/[^\n]/g, ''));
  for (const match of prose.matchAll(/`([^`]+)`/g)) {
    add(match[1]!.replace(/\s*\n\s*/g, ' '), prose.slice(0, match.index).split('\n').length);
  }
  return found;
}

/** The commands of a line of shell. */
function parts(code: string): string[] {
  return code
    .replace(/(^|\s)#.*$/, '')
    .split(/&&|\|\||;|\s\|\s/)
    .map((part) => part.replace(/^[\s($]+|[\s)]+$/g, '').replace(/\s+/g, ' '))
    .filter((part) => COMMAND.test(part));
}

/** Without the variables before it. */
export function withoutVariables(command: string): string {
  return command.replace(/^(?:[A-Z][A-Z0-9_]*=\S*\s+)+/, '');
}
