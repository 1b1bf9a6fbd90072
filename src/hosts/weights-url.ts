/** Reads `WEIGHTS_URL`, the setting for weights on another server. */
import { SettingsError } from './settings.ts';

/** @throws SettingsError unless the value is an http or https address */
export function readWeightsUrl(value: unknown): string {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (url && /^https?:$/.test(url.protocol) && !url.hash) return url.href;
  throw new SettingsError(
    'Setting WEIGHTS_URL must be an address such as https://example.com/models/NAME where WEIGHTS is https, ' +
      `but is ${JSON.stringify(value ?? null)}.`,
  );
}
