/** A Node host as a process of its own, which can be measured and killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ProcessHost } from './bare-workerd.ts';

/**
 * @param entry a module, by its path from this directory, that says its address on a line of its output
 * @param environment besides this process's own
 */
export async function startNodeProcess(entry: string, environment: Record<string, string> = {}): Promise<ProcessHost> {
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
    child.once('exit', () => reject(new Error(`the host ended before it listened: ${output}`)));
  });
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    child.kill(signal);
    await exited;
  };
  return { url: new URL(address), pid: child.pid ?? 0, stop: () => end('SIGKILL'), kill: () => end('SIGKILL') };
}
