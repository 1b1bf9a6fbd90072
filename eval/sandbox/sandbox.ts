/** Runs generated programs, each in a child process of its own with nothing but its standard input. */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EvalSettings } from '../settings.ts';
import { type Isolation, pickIsolation, TIME_LIMIT_S } from './isolation.ts';

export type Language = 'typescript' | 'javascript' | 'python';

/** `invalid`: not a program of the language. `failed`: any other end before the last line. */
export type Outcome = 'passed' | 'failed' | 'invalid' | 'timeout';

const NODE = [process.execPath, '--permission', '--no-warnings', '--max-old-space-size=256'];
const MOST_OUTPUT = 1 << 16;

/** node:assert throws by itself; `console.assert` only prints. */
const ASSERT_THROWS = 'console.assert = (ok) => { if (!ok) throw new Error("assertion failed"); };\n';

export class Sandbox {
  readonly #isolation: Isolation;
  readonly #python: readonly string[];
  readonly #timeLimitS: number;

  /**
   * @param timeLimitS wall-clock seconds per program
   * @throws Error when the host cannot isolate, or has no python3
   */
  constructor(wanted: EvalSettings['isolation'], timeLimitS = TIME_LIMIT_S) {
    this.#timeLimitS = timeLimitS;
    this.#isolation = pickIsolation(wanted);
    // The interpreter itself, because a version manager's shim needs an environment.
    const found = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
    if (found.status !== 0) throw new Error('python3 is needed to run Python programs');
    this.#python = [found.stdout.trim(), '-I', '-'];
  }

  /** The isolation in force, for the report. */
  get description(): string {
    return this.#isolation.description;
  }

  /**
   * Runs a program with its tests at its end. It passes if it reaches its last line and exits with 0. That line prints a
   * word that the program cannot know, so that an early exit is no success.
   */
  async run(language: Language, program: string): Promise<Outcome> {
    const word = randomUUID();
    const [command, source] = this.#prepare(language, program, word);
    const directory = await mkdtemp(join(tmpdir(), 'seedling-eval-'));
    try {
      const { output, errors, status, timedOut } = await this.#spawn(command, source, directory);
      if (timedOut) return 'timeout';
      if (status === 0 && output.trimEnd().endsWith(word)) return 'passed';
      return /^\s*(Syntax|Indentation|Tab)Error\b/m.test(errors) ? 'invalid' : 'failed';
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  #prepare(language: Language, program: string, word: string): readonly [readonly string[], string] {
    switch (language) {
      case 'typescript':
        return [[...NODE, '--input-type=module-typescript', '-'], `${program}\nconsole.log("${word}");\n`];
      case 'javascript':
        return [[...NODE, '--input-type=commonjs', '-'], `${ASSERT_THROWS}${program}\nconsole.log("${word}");\n`];
      case 'python':
        return [this.#python, `${program}\nprint("${word}")\n`];
    }
  }

  #spawn(interpreter: readonly string[], source: string, cwd: string): Promise<Ended> {
    const [command = '', ...args] = [...this.#isolation.wrapper, ...interpreter];
    // A process group of its own, so that its children end with it.
    const child = spawn(command, args, { cwd, env: this.#isolation.environment, detached: true });
    let output = '';
    let errors = '';
    // The end of stdout counts, and the beginning of stderr.
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      output = (output + part).slice(-MOST_OUTPUT);
    });
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      errors = (errors + part).slice(0, MOST_OUTPUT);
    });
    // A program that ends before it is read leaves a closed pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(source);
    return new Promise((resolve, reject) => {
      let timedOut = false;
      const timer = setTimeout(() => {
        timedOut = true;
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      }, this.#timeLimitS * 1000);
      child.on('error', reject);
      child.on('close', (status) => {
        clearTimeout(timer);
        resolve({ output, errors, status, timedOut });
      });
    });
  }
}

interface Ended {
  readonly output: string;
  readonly errors: string;
  /** null after a signal. */
  readonly status: number | null;
  readonly timedOut: boolean;
}
