/** The documents' commands: each has a run, a step of CI or an exception. `npm run test:documents` runs them. */
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { commandsOf, namedCommands, withoutVariables } from './commands.ts';
import { EXCEPTIONS, MOST_EXCEPTIONS } from './exceptions.ts';
import { planOf } from './plan.ts';
import { RUNS, runOf } from './runs.ts';
import { ROOT } from './workplace.ts';

describe('commandsOf', () => {
  const commands = (text: string) => commandsOf(text, 'a.md').map(({ command }) => command);

  it('reads fenced blocks without comments, with continued lines', () => {
    const text = '```sh\ncd x\nnpm install && npm run dev   # serves\nnpm run eval -- \\\n  heldout\ncurl x\n```\n';
    expect(commands(text)).toEqual(['npm install', 'npm run dev', 'npm run eval -- heldout']);
  });

  it('reads inline code, over the end of a line too', () => {
    expect(commands('Run `npm run\ntest:slow`, or (`(cd models/recipe && python -m recipe corpus)`).')).toEqual([
      'npm run test:slow',
      'python -m recipe corpus',
    ]);
    expect(commands('`node` runs `MODEL=x npm start`.')).toEqual(['MODEL=x npm start']);
  });

  it('says where a command stands', () => {
    expect(commandsOf('a\n`npm start`\n```sh\nnpm test\n```', 'a.md').map(({ place }) => place)).toEqual([
      'a.md:4',
      'a.md:2',
    ]);
  });
});

describe('planOf', () => {
  const planned = (...commands: string[]) => planOf(commands.map((command) => ({ command, place: 'a.md:1' })));

  it('takes several spellings for one run', () => {
    const { runs, unknown } = planned(
      'npm run bench -- decode',
      'BENCH_ROUNDS=9 npm run bench -- decode',
      'npm run build',
    );
    expect(runs.map(({ command }) => command)).toEqual(['npm run -s build', 'node bench/run.ts decode']);
    expect(unknown).toEqual([]);
  });

  it('adds the runs that another one needs, before it', () => {
    const commands = planned('python -m recipe orders T.jsonl').runs.map(
      ({ command }) => /(quick|trajectories|orders) /.exec(command)?.[1],
    );
    expect(commands).toEqual(['quick', 'trajectories', 'orders']);
  });

  it('reports a command that nothing stands for', () => {
    expect(planned('npm run nothing').unknown).toEqual([{ command: 'npm run nothing', place: 'a.md:1' }]);
  });

  it('knows every run that another one needs', () => {
    for (const { needs = [] } of RUNS) for (const command of needs) expect(runOf(command).command).toBe(command);
  });
});

describe('commands of the documents', async () => {
  const commands = await namedCommands(ROOT);
  const { runs, steps, tests, unknown } = planOf(commands);

  it('are found', () => {
    expect(commands.length).toBeGreaterThan(30);
    expect(runs.length).toBeGreaterThan(20);
  });

  it('each have a run, a step of CI or an exception', () => {
    expect(unknown.map(({ command, place }) => `${place}: ${command}`)).toEqual([]);
  });

  it('are held by .ci/run where they are its steps', () => {
    const script = readFileSync(`${ROOT}/.ci/run`, 'utf8');
    for (const step of steps) expect(script).toContain(step);
  });

  it('name test files that exist', async () => {
    const files: string[] = [];
    for await (const file of glob('test/**/*.test.ts', { cwd: ROOT })) files.push(file);
    for (const filter of tests)
      expect(
        files.filter((file) => file.includes(filter)),
        filter,
      ).not.toEqual([]);
  });

  it(`have at most ${MOST_EXCEPTIONS} exceptions, each for a command without a run`, () => {
    expect(EXCEPTIONS.length).toBeLessThanOrEqual(MOST_EXCEPTIONS);
    const excepted = commands
      .map(({ command }) => withoutVariables(command))
      .filter((command) => EXCEPTIONS.some(({ pattern }) => pattern.test(command)));
    for (const command of excepted) expect(RUNS.find(({ pattern }) => pattern.test(command))?.command).toBeUndefined();
  });
});
