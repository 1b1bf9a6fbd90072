/**
 * A Worker on workerd alone. `wrangler dev` and Miniflare put a proxy Worker in front, which passes a client's
 * disconnect on only when it has bytes to write: through it nobody can see how fast the app itself reacts.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'smol-toml';
import type { SocketHost } from './socket-hosts.ts';

// workerd is wrangler's dependency, not ours: take the one that belongs to it.
const wrangler = createRequire(import.meta.url).resolve('wrangler/package.json');
const wranglerCommand = fileURLToPath(new URL('bin/wrangler.js', `file://${wrangler}`));
const workerdBinary = createRequire(wrangler)('workerd').default as string;

// As deployed.
const { compatibility_date, compatibility_flags } = parse(
  await readFile(new URL('../../../wrangler.toml', import.meta.url), 'utf8'),
);

const config = (port: number) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "worker.js")],
  compatibilityDate = "${compatibility_date}",
  compatibilityFlags = ${JSON.stringify(compatibility_flags)},
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

/** A host that is a process of its own. */
export interface ProcessHost extends SocketHost {
  readonly pid: number;
  /** Ends it as a crash would: at once, with nothing said to anybody. */
  kill(): Promise<void>;
}

/** A Worker that has been bundled: it can be started more than once. */
export interface BundledWorker {
  /** @param port 0 for any */
  start(port: number): Promise<ProcessHost>;
  remove(): Promise<void>;
}

/** @param entry a module of this directory */
export async function bundleWorker(entry: string): Promise<BundledWorker> {
  const directory = await mkdtemp(join(tmpdir(), 'seedling-workerd-'));
  const source = fileURLToPath(new URL(entry, import.meta.url));
  const bundle = ['deploy', source, '--dry-run', '--name', 'fake', '--compatibility-date', `${compatibility_date}`];
  // An empty configuration keeps wrangler from the project's own, with its assets and kernels.
  const empty = join(directory, 'wrangler.toml');
  await writeFile(empty, 'send_metrics = false\n');
  await promisify(execFile)(process.execPath, [wranglerCommand, ...bundle, '--config', empty, '--outdir', directory]);
  await rename(join(directory, basename(entry).replace(/\.ts$/, '.js')), join(directory, 'worker.js'));
  return {
    async start(port) {
      await writeFile(join(directory, 'config.capnp'), config(port));
      const workerd = spawn(workerdBinary, ['serve', join(directory, 'config.capnp'), '--control-fd=3'], {
        stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      });
      const exited = once(workerd, 'exit');
      const report = (code: number | null, signal: string | null) =>
        console.error(`workerd ended by itself: status ${code}, signal ${signal}`);
      workerd.once('exit', report);
      const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
        workerd.off('exit', report);
        workerd.kill(signal);
        await exited;
      };
      const listening = await listenPort(workerd.stdio[3] as Readable);
      return {
        url: new URL(`http://127.0.0.1:${listening}`),
        pid: workerd.pid ?? 0,
        stop: () => end('SIGTERM'),
        kill: () => end('SIGKILL'),
      };
    },
    remove: () => rm(directory, { recursive: true }),
  };
}

/** @param entry a module of this directory */
export async function startBareWorkerd(entry = 'fake-worker.ts'): Promise<ProcessHost> {
  const bundle = await bundleWorker(entry);
  const host = await bundle.start(0);
  return {
    ...host,
    async stop() {
      await host.stop();
      await bundle.remove();
    },
  };
}
