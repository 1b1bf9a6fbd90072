/** Which run, step or exception stands for each command. */
import { type NamedCommand, withoutVariables } from './commands.ts';
import { EXCEPTIONS } from './exceptions.ts';
import { RUNS, type Run, runOf, STEPS, TESTS } from './runs.ts';

export interface Plan {
  /** In the order of RUNS, with those that others need. */
  readonly runs: readonly Run[];
  /** Texts that `.ci/run` has to hold. */
  readonly steps: readonly string[];
  /** Arguments of `vitest run`: filters of test files. */
  readonly tests: readonly string[];
  /** Commands that nothing stands for. */
  readonly unknown: readonly NamedCommand[];
}

export function planOf(commands: readonly NamedCommand[]): Plan {
  const runs = new Set<Run>();
  const [steps, tests] = [new Set<string>(), new Set<string>()];
  const unknown: NamedCommand[] = [];
  for (const named of commands) {
    const command = withoutVariables(named.command);
    const run = RUNS.find(({ pattern }) => pattern.test(command));
    const step = STEPS.find(([pattern]) => pattern.test(command));
    if (TESTS.test(command)) for (const filter of filtersOf(command)) tests.add(filter);
    else if (step) steps.add(step[1]);
    else if (run) add(run, runs);
    else if (!EXCEPTIONS.some(({ pattern }) => pattern.test(command))) unknown.push(named);
  }
  return { runs: RUNS.filter((run) => runs.has(run)), steps: [...steps], tests: [...tests], unknown };
}

function add(run: Run, runs: Set<Run>): void {
  if (runs.has(run)) return;
  runs.add(run);
  for (const command of run.needs ?? []) add(runOf(command), runs);
}

function filtersOf(command: string): string[] {
  return command
    .replace(TESTS, '')
    .split(' ')
    .filter((word) => word !== '' && !word.startsWith('-'));
}
