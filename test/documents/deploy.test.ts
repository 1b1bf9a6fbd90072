/** docs/deploy.md: the fields of the log and the metrics that there are. */
import { expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Drain } from '../../src/api/middleware/drain.ts';
import type { RequestRecord } from '../../src/api/middleware/record.ts';
import { NodeMetrics } from '../../src/hosts/node/host/metrics.ts';
import { createFakeEngine } from '../support/engines/fake-engine.ts';
import { codeSpans, tableOf } from './markdown.ts';

const PAGE = 'docs/deploy.md';

test('the log has these fields', () => {
  // The compiler holds this to the record.
  const record: RequestRecord = {
    event: 'request',
    request_id: 'id',
    method: 'POST',
    route: '/v1/completions',
    status: 200,
    ending: null,
    key: null,
    ignored: null,
    prompt_tokens: 1,
    cached_tokens: 0,
    completion_tokens: 1,
    nfe: 1,
    ms: 1,
  };
  const told = tableOf(PAGE, '| field | what |').flatMap(([fields = '']) => codeSpans(fields));
  expect(['event', ...told].sort()).toEqual(Object.keys(record).sort());
});

test('the metrics are these', async () => {
  const settings = { maxTokens: 16, bodyLimitBytes: 1024, unknownFields: 'ignore' as const };
  const host = createHost({ modelName: 'fake', settings, load: async () => createFakeEngine() });
  const text = await new NodeMetrics(new Drain()).text(host);
  const named = Array.from(text.matchAll(/^# HELP (seedling_\w+) /gm), ([, name]) => name);
  expect(named.length).toBeGreaterThan(3);
  const told = tableOf(PAGE, '| metric | what |').flatMap(([metric = '']) => codeSpans(metric));
  expect(told.sort()).toEqual(named.sort());
});
