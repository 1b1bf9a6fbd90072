import { createHash } from 'node:crypto';
import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/** What starts processes and servers, patches globals, or counts what a process holds: each of these files has its own. */
const APART = [
  'test/{abuse,clients,playground,socket}/**/*.test.ts',
  'test/model/{conformance.test.ts,onnx/**/*.test.ts}',
];
/** Calls of packages that `npm run install:clients` installs. */
const CLIENTS = 'test/clients/packages/**';
const SLOW = 'test/**/*.slow.test.ts';
const DOCUMENTS = 'test/documents/*.documents.test.ts';

export default defineConfig({
  test: {
    // By default vitest leaves a core out: of two that is half.
    maxWorkers: '100%',
    projects: [
      {
        // Files share a process, and what they import: importing takes longer than most of them.
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/workerd/**', ...APART, SLOW, DOCUMENTS],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: { name: 'apart', include: APART, exclude: [CLIENTS, SLOW], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        // What takes minutes, apart from the suite that runs at every change: `npm run test:slow`, one file at a time.
        test: { name: 'slow', include: [SLOW], testTimeout: 600_000, hookTimeout: 120_000 },
      },
      {
        // One server, and one package after the other: `npm run test:clients`.
        test: {
          name: 'clients',
          include: ['test/clients/packages/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Commands that the documents name: `npm run test:documents`. One waits for another, so the limits are wide.
        test: {
          name: 'documents',
          include: [DOCUMENTS],
          testTimeout: 1_200_000,
          hookTimeout: 120_000,
          maxConcurrency: 100,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            // The entry as deployed, on a model that no host has: nothing here depends on trained weights.
            miniflare: {
              // The plugin's own workerd knows no later date. `wrangler dev` and a deployment take that of wrangler.toml.
              compatibilityDate: '2026-11-02',
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
