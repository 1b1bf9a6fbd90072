/** `npm run test:documents`: every command that the documents name is run in its smallest form. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { namedCommands } from './commands.ts';
import { execute } from './execute.ts';
import { planOf } from './plan.ts';
import { type Run, runOf } from './runs.ts';
import { createWorkplace, ROOT, removeWorkplace } from './workplace.ts';

const { runs } = planOf(await namedCommands(ROOT));
let scratch: string;

/** The recipe and the rest run side by side, each one command at a time: two builds at once would spoil each other. */
const lanes = new Map<string, Promise<unknown>>();
const done = new Map<Run, Promise<void>>();
/** Of the run itself: the time of its test counts its wait too. */
const seconds = new Map<string, number>();

function runOnce(run: Run): Promise<void> {
  const known = done.get(run);
  if (known) return known;
  const running = afterNeeds(run);
  done.set(run, running);
  return running;
}

async function afterNeeds(run: Run): Promise<void> {
  await Promise.all((run.needs ?? []).map((command) => runOnce(runOf(command))));
  const lane = run.cwd ?? 'root';
  const running = (lanes.get(lane) ?? Promise.resolve()).then(async () => {
    const start = performance.now();
    await execute(run, scratch);
    seconds.set(run.command, (performance.now() - start) / 1000);
  });
  lanes.set(
    lane,
    running.catch(() => {}),
  );
  await running;
}

describe.concurrent('commands of the documents', () => {
  beforeAll(() => {
    scratch = createWorkplace();
  });
  afterAll(() => {
    const slowest = [...seconds].sort(([, a], [, b]) => b - a);
    for (const [command, time] of slowest.slice(0, 15)) console.log(`${time.toFixed(1).padStart(6)} s  ${command}`);
    removeWorkplace(scratch);
  });

  it.each(runs)('$command', (run) => runOnce(run));
});
