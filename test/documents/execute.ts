/** Executes a run: to its end, or until its server has answered `/health`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Run } from './runs.ts';
import { ROOT } from './workplace.ts';

const SERVER_SECONDS = 90;
/** Of the output, in the error. */
const MOST_CHARACTERS = 4000;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  /** stdout and stderr as they came. */
  readonly all: string;
}

/** @throws Error with the end of the output, where the run does not do what it should */
export async function execute(run: Run, scratch: string): Promise<void> {
  const child = start(run, scratch);
  const ended = collect(child);
  if (run.port !== undefined) {
    try {
      await healthy(run.port, ended);
    } finally {
      stop(child);
      await ended;
    }
    return;
  }
  const { status, stdout, all } = await ended;
  if (status !== (run.status ?? 0)) throw new Error(`status ${status}\n${all.slice(-MOST_CHARACTERS)}`);
  if (!run.suite) return;
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  if (!result.processor?.model || !result.commit)
    throw new Error(`no processor or commit in ${JSON.stringify(result)}`);
}

function start({ command, cwd, env = {} }: Run, scratch: string): ChildProcess {
  const filled = Object.entries(env).map(([name, value]) => [name, value.replaceAll('$SCRATCH', scratch)]);
  // In a group of its own: npm runs a shell that runs the command.
  return spawn('bash', ['-c', command], {
    cwd: cwd === undefined ? ROOT : join(ROOT, cwd),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SCRATCH: scratch, SEEDLING_CACHE: `${scratch}/cache`, ...Object.fromEntries(filled) },
  });
}

function collect(child: ChildProcess): Promise<Ended> {
  let [stdout, all] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (part: string) => {
    stdout += part;
    all += part;
  });
  child.stderr!.setEncoding('utf8').on('data', (part: string) => {
    all += part;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, all }));
  });
}

async function healthy(port: number, ended: Promise<Ended>): Promise<void> {
  let over: Ended | undefined;
  ended.then((end) => {
    over = end;
  });
  const deadline = Date.now() + SERVER_SECONDS * 1000;
  while (Date.now() < deadline) {
    if (over) throw new Error(`it ended with status ${over.status}\n${over.all.slice(-MOST_CHARACTERS)}`);
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null);
    if (answer?.ok) return;
    await wait(250);
  }
  throw new Error(`no answer from /health after ${SERVER_SECONDS} s`);
}

function stop(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGTERM');
  } catch (error) {
    // It has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
