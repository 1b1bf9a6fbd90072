/** The real app without access, limits or files around it, as most tests of single routes need it. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import packageJson from '../../../package.json' with { type: 'json' };
import { createApp } from '../../../src/api/app.ts';
import type { Host } from '../../../src/api/host.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import { readSettings } from '../../../src/hosts/settings.ts';

export function openApp(host: Host): OpenAPIHono {
  const { patience } = readSettings({});
  return createApp(host, patience, {
    address: () => null,
    cut() {},
    record() {},
    drain: new Drain(),
    about: packageJson,
  });
}
