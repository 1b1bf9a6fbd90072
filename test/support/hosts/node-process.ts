/** A Node host as a process of its own, which can be measured and killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ProcessHost } from './bare-workerd.ts';

/** The process ended before it listened. */
export class EndedEarlyError extends Error {
  readonly code: number | null;
  /** What it wrote to stdout and stderr. */
  readonly output: string;

  constructor(code: number | null, output: string) {
    super(`the host ended before it listened: ${output}`);
    this.code = code;
    this.output = output;
  }
}

export interface NodeProcess extends ProcessHost {
  /** What it has written so far to stdout and stderr. */
  output(): string;
}

/**
 * @param entry a module, by its path from this directory, that says its address on a line of its output
 * @param environment besides this process's own
 */
export async function startNodeProcess(entry: string, environment: Record<string, string> = {}): Promise<NodeProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(entry, import.meta.url))], {
    env: { ...process.env, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  const address = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (part) => {
        output += part;
        const found = /http:\/\/[\d.]+:\d+/.exec(output);
        if (found) resolve(found[0]);
      });
    }
    child.once('close', (code) => reject(new EndedEarlyError(code, output)));
  });
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    child.kill(signal);
    await exited;
  };
  return {
    url: new URL(address),
    pid: child.pid ?? 0,
    stop: () => end('SIGKILL'),
    kill: () => end('SIGKILL'),
    output: () => output,
  };
}
