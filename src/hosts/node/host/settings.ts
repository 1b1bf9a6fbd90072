/** Settings that only the Node host has. Those of every host are in `src/hosts/settings.ts`. */
import { BlockList, isIP } from 'node:net';
import { homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { SettingsError } from '../../settings.ts';
import { readWeightsUrl } from '../../weights-url.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const MOST_THREADS = 64;
const MIB = 1024 * 1024;
/** A WASM memory has 4 GiB at most. */
const MOST_BUDGET_MIB = 4096;

export interface NodeSettings {
  readonly port: number;
  readonly host: string;
  /** `at`: a directory of models, or the address of one model. */
  readonly weights: { readonly from: 'directory' | 'https'; readonly at: string };
  /** Directory for files from a web server. They lie in it under the server's name and their path. */
  readonly weightsCache: string;
  /** Threads that share a forward. 1: only the main thread. */
  readonly threads: number;
  /** The header in which a proxy names the caller's address. Null: there is no proxy. */
  readonly addressHeader: string | null;
  /** Longest time for running answers after a signal to stop, in seconds. */
  readonly graceSeconds: number;
}

function wholeNumber(
  variables: Environment,
  name: string,
  fallback: number,
  most: number,
  what: string,
  least = 0,
): number {
  const value = Number(variables[name] || fallback);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SettingsError(`Setting ${name} must be ${what}, but is ${JSON.stringify(variables[name])}.`);
}

/** @throws SettingsError naming the wrong setting. An empty string counts as not set. */
export function readNodeSettings(variables: Environment): NodeSettings {
  return {
    port: wholeNumber(variables, 'PORT', 8787, 65535, 'a port from 0 to 65535'),
    host: hostOf(variables),
    weights: weightsOf(variables),
    weightsCache: join(variables.SEEDLING_CACHE || join(homedir(), '.cache', 'seedling'), 'weights'),
    threads: wholeNumber(variables, 'THREADS', 1, MOST_THREADS, `a whole number from 1 to ${MOST_THREADS}`, 1),
    addressHeader: addressHeaderOf(variables),
    graceSeconds: wholeNumber(variables, 'GRACE_SECONDS', 10, 3600, 'a whole number from 0 to 3600'),
  };
}

function hostOf(variables: Environment): string {
  return variables.HOST || '127.0.0.1';
}

function weightsOf(variables: Environment): NodeSettings['weights'] {
  const from = variables.WEIGHTS || 'directory';
  if (from === 'directory') return { from, at: variables.MODELS_DIR || 'models' };
  if (from === 'https') return { from, at: readWeightsUrl(variables.WEIGHTS_URL) };
  throw new SettingsError(`Setting WEIGHTS must be directory or https on Node, but is ${JSON.stringify(from)}.`);
}

function addressHeaderOf(variables: Environment): string | null {
  const header = variables.ADDRESS_HEADER || null;
  if (header === null || /^[A-Za-z0-9-]+$/.test(header)) return header;
  throw new SettingsError(`Setting ADDRESS_HEADER must be a header's name, but is ${JSON.stringify(header)}.`);
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? host === 'localhost' : LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Half of the machine's memory, in MiB.
 * @param constrained bytes that this process may use; 0 or more than the machine has where nothing limits it
 * @param total bytes of the machine
 */
export function machineBudgetMib(constrained: number, total: number): number {
  const limited = Number.isFinite(constrained) && constrained > 0 && constrained < total;
  const half = Math.floor((limited ? constrained : total) / 2 / MIB);
  return Math.min(Math.max(half, 1), MOST_BUDGET_MIB);
}

/**
 * Fills in the settings whose defaults follow from the machine. `MEMORY_BUDGET_MIB` is half of its memory. `ACCESS` is open
 * if no keys are set and only this machine can connect. `RATE_LIMIT` is then off, as there is nobody to share with, unless a
 * proxy brings other callers.
 * @throws SettingsError if other machines can reach the server but no keys are set
 */
export function withNodeDefaults(variables: Environment): Environment {
  const memory = machineBudgetMib(process.constrainedMemory(), totalmem());
  const decided = {
    ...variables,
    MEMORY_BUDGET_MIB: variables.MEMORY_BUDGET_MIB || String(memory),
    ACCESS: accessOf(variables),
  };
  const own = decided.ACCESS === 'open' && isLoopback(hostOf(variables)) && !variables.ADDRESS_HEADER;
  return own && !variables.RATE_LIMIT ? { ...decided, RATE_LIMIT: '0' } : decided;
}

function accessOf(variables: Environment): string {
  const host = hostOf(variables);
  const keys = Boolean(variables.API_KEYS);
  if (variables.ACCESS === 'keys' && !keys) {
    throw new SettingsError(
      'Setting ACCESS is keys, but there are none: set API_KEYS to a hash that npm run key prints.',
    );
  }
  if (variables.ACCESS) return variables.ACCESS;
  if (!keys && !isLoopback(host)) {
    throw new SettingsError(
      `Setting HOST is ${host}, which other machines can reach: set API_KEYS to a hash that npm run key prints, ` +
        'or ACCESS to open to let everybody in.',
    );
  }
  return keys ? 'keys' : 'open';
}
