/** Settings that only the Worker has: which bindings they ask for. */
import type { RateLimiter } from '../../api/middleware/rate-limit.ts';
import type { WeightSource } from '../../model/weight-source.ts';
import { assetsSource } from '../../sources/assets.ts';
import { httpSource } from '../../sources/http.ts';
import { type Bucket, r2Source } from '../../sources/r2.ts';
import { SettingsError } from '../settings.ts';
import { readWeightsUrl } from '../weights-url.ts';

/** The used part of the rate limit binding. */
interface RateLimitBinding {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** The Worker's bindings. `wrangler.toml` decides which optional ones exist. */
export interface Bindings extends Readonly<Record<string, unknown>> {
  readonly ASSETS: { fetch(request: string | Request): Promise<Response> };
  readonly WEIGHTS_BUCKET?: Bucket;
  readonly RATE_LIMITER?: RateLimitBinding;
}

/** @throws SettingsError if `WEIGHTS` is unknown or its binding is missing */
export function weightSourceOf(bindings: Bindings, model: string): WeightSource {
  const from = bindings.WEIGHTS || 'assets';
  if (from === 'assets') return assetsSource(bindings.ASSETS, model);
  if (from === 'https') return httpSource(readWeightsUrl(bindings.WEIGHTS_URL));
  if (from !== 'r2') {
    throw new SettingsError(`Setting WEIGHTS must be assets, r2 or https, but is ${JSON.stringify(from)}.`);
  }
  if (bindings.WEIGHTS_BUCKET) return r2Source(bindings.WEIGHTS_BUCKET, model);
  throw new SettingsError('Setting WEIGHTS is r2, but there is no R2 bucket bound as WEIGHTS_BUCKET in wrangler.toml.');
}

/**
 * The binding counts per Cloudflare location, by its own configuration in `wrangler.toml`.
 * @throws SettingsError if there is a limit but no binding for it
 */
export function rateLimiterOf(bindings: Bindings, requests: number, seconds: number): RateLimiter | null {
  if (requests === 0) return null;
  const binding = bindings.RATE_LIMITER;
  if (!binding) {
    throw new SettingsError(
      `Setting RATE_LIMIT is ${requests}, but no rate limit is bound as RATE_LIMITER in wrangler.toml: add it, or set 0.`,
    );
  }
  if (seconds !== 10 && seconds !== 60) {
    throw new SettingsError(`Setting RATE_SECONDS must be 10 or 60 on Workers, but is ${seconds}.`);
  }
  return { take: async (key) => ((await binding.limit({ key })).success ? null : seconds) };
}
