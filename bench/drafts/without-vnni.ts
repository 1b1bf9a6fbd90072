/** Runs the bench of drafts as on a processor without VNNI: the flag works only from the start of a process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setting } from '../settings.ts';

const FLAG = '--no-enable-avx-vnni';

/** @returns the suite's result of a process of its own; null where this process is to run it */
export async function runWithoutVnni(): Promise<object | null> {
  if (setting('BENCH_VNNI') !== '0' || process.execArgv.includes(FLAG)) return null;
  const child = spawn(process.execPath, [FLAG, ...process.argv.slice(1)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(text));
  const [code] = await once(child, 'close');
  const printed = lines.join('').trimEnd().split('\n');
  for (const line of printed.slice(0, -1)) console.log(line);
  if (code !== 0) throw new Error(`the run with ${FLAG} ended with status ${code}`);
  return JSON.parse(printed.at(-1)!) as object;
}
