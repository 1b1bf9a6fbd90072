/**
 * How a host isolates generated code: namespaces of Linux, through unshare(1). No network, only its own processes, every
 * mount read-only. A user namespace comes first, because it needs no privilege and gives none.
 */
import { spawnSync } from 'node:child_process';
import type { EvalSettings } from '../settings.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MEMORY_KIB = 1 << 20;

/** Wall-clock seconds, which the caller enforces. The limit of CPU time, which the process has, is a second more. */
export const TIME_LIMIT_S = 10;

const READ_ONLY =
  'while read -r _ _ _ _ at _; do mount -o remount,bind,ro "$at" || exit 97; done </proc/self/mountinfo;';
const LIMITS = `ulimit -c 0; ulimit -t ${TIME_LIMIT_S + 1}; ulimit -d ${MEMORY_KIB};`;
const EMPTY_ENVIRONMENT = 'exec env -i "$@"';

const NAMESPACES = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child'];
const USER = ['--user', '--map-root-user'];

export interface Isolation {
  readonly description: string;
  /** Goes before a command. */
  readonly wrapper: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const LIMITED = `${TIME_LIMIT_S} s, ${MEMORY_KIB >> 10} MiB, empty environment`;
const candidates: readonly (readonly [string, readonly string[], string])[] = [
  ['no network, own processes, all files read-only', [...NAMESPACES, ...USER], READ_ONLY],
  ['no network, own processes, all files read-only', NAMESPACES, READ_ONLY],
  ['no network, own processes', [...NAMESPACES, ...USER], ''],
  ['no network, own processes', NAMESPACES, ''],
];

function isolation(description: string, namespaces: readonly string[], setup: string): Isolation {
  const script = `${setup} ${LIMITS} ${EMPTY_ENVIRONMENT}`;
  return {
    description: `child process: ${description}; ${LIMITED}`,
    wrapper: [...namespaces, 'sh', '-c', script, 'sh'],
    environment: { PATH },
  };
}

/** Whether a command runs inside and sees no network interface but its own loopback. */
function works({ wrapper, environment }: Isolation): boolean {
  const [command = '', ...before] = wrapper;
  const probe = spawnSync(command, [...before, 'cat', '/proc/net/dev'], { env: environment, encoding: 'utf8' });
  const interfaces = (probe.stdout ?? '').split('\n').filter((line) => line.includes(':'));
  return probe.status === 0 && interfaces.every((line) => line.trim().startsWith('lo:'));
}

/**
 * The strictest isolation that works on this host.
 * @throws Error when generated code could reach the network, unless the settings accept that
 */
export function pickIsolation(wanted: EvalSettings['isolation']): Isolation {
  if (wanted === 'process') return isolation('THE NETWORK CAN BE REACHED, files can be written', [], '');
  const found = candidates.map((candidate) => isolation(...candidate)).find(works);
  if (found) return found;
  throw new Error(
    'This host cannot cut generated code off from the network: unshare(1) with network namespaces (Linux) is needed. ' +
      'EVAL_ISOLATION=process runs it with limits of time and memory only.',
  );
}
