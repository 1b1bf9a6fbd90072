import { createHash } from 'node:crypto';
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/workerd/**', 'test/**/*.slow.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        // What takes minutes, apart from the suite that runs at every change: `npm run test:slow`, one file at a time.
        test: {
          name: 'slow',
          include: ['test/**/*.slow.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            // The entry as deployed, on a model that no host has: nothing here depends on trained weights.
            miniflare: {
              bindings: {
                MODEL: 'absent',
                API_KEYS: `test:${createHash('sha256').update('sk-seedling-test').digest('hex')}`,
              },
              ratelimits: { RATE_LIMITER: { namespace_id: '1', simple: { limit: 20, period: 60 } } },
            },
          }),
        ],
        test: { name: 'workerd', include: ['test/workerd/**/*.test.ts'], testTimeout: 30_000 },
      },
    ],
  },
});
