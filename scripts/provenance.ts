/** Where a measurement comes from: the processor and the commit. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

export interface Processor {
  readonly model: string;
  /** Whether it multiplies int8 with VNNI. Null where the system does not say. */
  readonly vnni: boolean | null;
  /** That this process may use. */
  readonly cores: number;
}

export interface Provenance {
  readonly processor: Processor;
  /** With `+` at the end where tracked files differ from it. Null outside a git repository. */
  readonly commit: string | null;
}

export function provenance(): Provenance {
  return { processor: processor(), commit: commit() };
}

/** A suite's result as its last line shows it. */
export function withProvenance<T extends object>(suite: string, result: T): { suite: string } & T & Provenance {
  return { suite, ...result, ...provenance() };
}

function processor(): Processor {
  return { model: cpus()[0]?.model ?? 'unknown', vnni: hasVnni(), cores: availableParallelism() };
}

function hasVnni(): boolean | null {
  let text: string;
  try {
    text = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return null;
  }
  const flags = /^flags\s*:(.*)$/m.exec(text)?.[1];
  return flags === undefined ? null : /\b(avx512_vnni|avx_vnni)\b/.test(flags);
}

function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', '--short=12', 'HEAD') + (changed ? '+' : '');
  } catch {
    return null;
  }
}
