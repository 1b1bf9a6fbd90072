/** What a suite of `npm run bench` or `npm run eval` is, and how one is run from the command line. */
import { withProvenance } from './provenance.ts';

export interface Suite {
  /** One line for the list of suites. */
  readonly about: string;
  /** Environment variables that it reads, of those that its command documents. */
  readonly settings: readonly string[];
  load(): Promise<{ run(): Promise<object> }>;
}

export interface Command {
  readonly name: 'bench' | 'eval';
  readonly suites: Readonly<Record<string, Suite>>;
  /** Environment variable -> meaning and default. */
  readonly settings: Readonly<Record<string, string>>;
  /** Lines about what is not a suite. */
  readonly extra?: readonly string[];
}

/** A setting is wrong or an input is missing. The message says what to do, and it is shown without a stack. */
export class InputError extends Error {}

export function usage({ name, suites, settings, extra = [] }: Command): string {
  const width = Math.max(...[...Object.keys(suites), ...Object.keys(settings)].map((word) => word.length)) + 2;
  const lines = [`usage: npm run ${name} -- SUITE`, '', 'The last line of a suite is one JSON object.', ''];
  for (const [suite, { about, settings }] of Object.entries(suites)) {
    lines.push(`  ${suite.padEnd(width)}${about}`);
    if (settings.length > 0) lines.push(`  ${''.padEnd(width)}${settings.join(', ')}`);
  }
  lines.push(...extra, '', 'Settings, from the environment:', '');
  for (const [variable, meaning] of Object.entries(settings)) lines.push(`  ${variable.padEnd(width)}${meaning}`);
  return lines.join('\n');
}

/** Runs the suite that the arguments name. Without one, or with an unknown one, the suites are listed (status 2). */
export async function runSuite(command: Command, name: string | undefined): Promise<void> {
  if (name === '--help' || name === '-h') {
    console.log(usage(command));
    return;
  }
  const suite = name === undefined ? undefined : command.suites[name];
  if (name === undefined || !suite) {
    if (name !== undefined) console.error(`npm run ${command.name} has no suite ${name}.\n`);
    console.error(usage(command));
    process.exitCode = 2;
    return;
  }
  try {
    console.log(JSON.stringify(withProvenance(name, await (await suite.load()).run())));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
