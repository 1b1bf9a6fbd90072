/** What only the Node host needs to know; the rest is `settings.ts`. */
import { SettingsError } from './settings.ts';

export interface NodeSettings {
  readonly port: number;
  readonly host: string;
  readonly modelsDirectory: string;
}

/** @throws SettingsError naming the wrong setting. An empty string counts as not set. */
export function readNodeSettings(variables: Readonly<Record<string, string | undefined>>): NodeSettings {
  const port = Number(variables.PORT || 8787);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new SettingsError(`Setting PORT must be a port from 0 to 65535, but is ${JSON.stringify(variables.PORT)}.`);
  }
  return { port, host: variables.HOST || '127.0.0.1', modelsDirectory: variables.MODELS_DIR || 'models' };
}
