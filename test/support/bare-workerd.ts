/**
 * A Worker on workerd alone. `wrangler dev` and Miniflare put a proxy Worker in front, which passes a client's
 * disconnect on only when it has bytes to write: through it nobody can see how fast the app itself reacts.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SocketHost } from './socket-hosts.ts';

// workerd is wrangler's dependency, not ours: take the one that belongs to it.
const wrangler = createRequire(import.meta.url).resolve('wrangler/package.json');
const wranglerCommand = fileURLToPath(new URL('bin/wrangler.js', `file://${wrangler}`));
const workerdBinary = createRequire(wrangler)('workerd').default as string;

const COMPATIBILITY_DATE = '2026-11-02';

const configuration = (entry: string) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "${entry}.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ["enable_request_signal"],
);
`;

/** The port that workerd reports on its control stream. */
async function listenPort(control: Readable): Promise<number> {
  for await (const line of createInterface(control)) {
    const event = JSON.parse(line) as { event: string; port?: number };
    if (event.event === 'listen' && event.port !== undefined) return event.port;
  }
  throw new Error('workerd ended before it listened');
}

/** @param entry a Worker of this directory */
export async function startBareWorkerd(entry = 'fake-worker'): Promise<SocketHost> {
  const directory = await mkdtemp(join(tmpdir(), 'seedling-workerd-'));
  const main = fileURLToPath(new URL(`${entry}.ts`, import.meta.url));
  const bundle = ['deploy', main, '--dry-run', '--name', 'fake', '--compatibility-date', COMPATIBILITY_DATE];
  // An empty configuration keeps wrangler from the project's own, with its assets and kernels.
  const config = join(directory, 'wrangler.toml');
  await writeFile(config, 'send_metrics = false\n');
  await promisify(execFile)(process.execPath, [wranglerCommand, ...bundle, '--config', config, '--outdir', directory]);
  await writeFile(join(directory, 'config.capnp'), configuration(entry));
  const workerd = spawn(workerdBinary, ['serve', join(directory, 'config.capnp'), '--control-fd=3'], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const exited = once(workerd, 'exit');
  const report = (code: number | null, signal: string | null) =>
    console.error(`workerd ended by itself: status ${code}, signal ${signal}`);
  workerd.once('exit', report);
  const port = await listenPort(workerd.stdio[3] as Readable);
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    async stop() {
      workerd.off('exit', report);
      workerd.kill();
      await exited;
      await rm(directory, { recursive: true });
    },
  };
}
