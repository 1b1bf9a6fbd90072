/** Rate limits of one process, kept in memory. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { RateLimiter } from '../../../api/middleware/rate-limit.ts';

/** At most `requests` in a window of `seconds` that starts with a key's first request. */
export function memoryRateLimiter(requests: number, seconds: number): RateLimiter {
  const limiter = new RateLimiterMemory({ points: requests, duration: seconds });
  return {
    async take(key) {
      try {
        await limiter.consume(key);
        return null;
      } catch (refused) {
        if (refused instanceof RateLimiterRes) return Math.max(Math.ceil(refused.msBeforeNext / 1000), 1);
        throw refused;
      }
    },
  };
}
