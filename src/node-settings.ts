/** What only the Node host needs to know; the rest is `settings.ts`. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SettingsError } from './settings.ts';

const MOST_THREADS = 64;

export interface NodeSettings {
  readonly port: number;
  readonly host: string;
  readonly modelsDirectory: string;
  /** Directory of the model's files on a server; null takes them from `modelsDirectory`. */
  readonly modelUrl: URL | null;
  /** Where files from `modelUrl` are kept, below their server's name and their path. */
  readonly weightsCache: string;
  /** Threads that multiply; 1 is the main one alone. */
  readonly threads: number;
}

/** @throws SettingsError naming the wrong setting. An empty string counts as not set. */
export function readNodeSettings(variables: Readonly<Record<string, string | undefined>>): NodeSettings {
  const threads = Number(variables.THREADS || 1);
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    const wrong = JSON.stringify(variables.THREADS);
    throw new SettingsError(`Setting THREADS must be a whole number from 1 to ${MOST_THREADS}, but is ${wrong}.`);
  }
  const port = Number(variables.PORT || 8787);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new SettingsError(`Setting PORT must be a port from 0 to 65535, but is ${JSON.stringify(variables.PORT)}.`);
  }
  return {
    threads,
    port,
    host: variables.HOST || '127.0.0.1',
    modelsDirectory: variables.MODELS_DIR || 'models',
    modelUrl: variables.MODEL_URL ? webUrl('MODEL_URL', variables.MODEL_URL) : null,
    weightsCache: join(variables.SEEDLING_CACHE || join(homedir(), '.cache', 'seedling'), 'weights'),
  };
}

function webUrl(name: string, value: string): URL {
  const url = URL.parse(value);
  if (url !== null && ['https:', 'http:'].includes(url.protocol)) return url;
  throw new SettingsError(`Setting ${name} must be an http or https URL, but is ${JSON.stringify(value)}.`);
}
