/** `npm run bench -- all [SUITE ...] [--out FILE]`: each suite in a process of its own, all results in one file. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type Provenance, provenance, withProvenance } from '../scripts/provenance.ts';

/** Git ignores the folder. */
const OUT = 'build/measurements.json';

/** The file that `npm run measurements` reads. */
export interface Measurements extends Provenance {
  /** ISO 8601, of the start. */
  readonly date: string;
  /** The last line of each suite, or why there is none. */
  readonly suites: Readonly<Record<string, object>>;
}

/** A suite that fails is recorded as `{error}`, the others still run, and the exit status is 1. */
export async function runAll(known: readonly string[], args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { out: { type: 'string', default: OUT } },
  });
  const wrong = positionals.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    console.error(`npm run bench has no suite ${wrong}. Its suites are ${known.join(', ')}.`);
    process.exitCode = 2;
    return;
  }
  const names = positionals.length > 0 ? positionals : known;
  const date = new Date().toISOString();
  const suites: Record<string, object> = {};
  const measurements: Measurements = { date, ...provenance(), suites };
  await mkdir(dirname(values.out), { recursive: true });
  for (const name of names) {
    const start = performance.now();
    const { status, result, error } = await runChild(name);
    const seconds = Math.round((performance.now() - start) / 1000);
    console.log(`== ${name}: ${status === 0 ? 'done' : `FAILED with status ${status}`} after ${seconds} s\n`);
    if (status !== 0) process.exitCode = 1;
    suites[name] = status === 0 ? JSON.parse(result) : { error };
    // After each suite, so that a stopped run keeps the results so far.
    await writeFile(values.out, `${JSON.stringify(measurements, null, 1)}\n`);
  }
  const failed = names.filter((name) => 'error' in suites[name]!);
  console.log(JSON.stringify(withProvenance('all', { file: values.out, failed })));
}

interface Ended {
  readonly status: number | null;
  /** The last line of stdout. */
  readonly result: string;
  /** The line of stderr that names the error. */
  readonly error: string;
}

/** The output of the suite is passed on. */
async function runChild(name: string): Promise<Ended> {
  console.log(`== ${name}`);
  const script = new URL('run.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, name], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    process.stdout.write(part);
    output += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    process.stderr.write(part);
    errors += part;
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const lines = errors.trimEnd().split('\n');
  const error = lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1)!;
  return { status, result: output.trimEnd().split('\n').at(-1)!, error };
}
