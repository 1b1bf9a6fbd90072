import { expect, test } from 'vitest';
import { sseData } from '../../src/playground/page/run/sse.ts';

function body(...parts: readonly string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(encoder.encode(part));
      controller.close();
    },
  });
}

test.each([
  ['one message a part', ['data: a\n\n', 'data: b\n\n']],
  ['messages cut anywhere', ['da', 'ta: a\n', '\ndata: ', 'b\n\n']],
  ['carriage returns', ['data: a\r\n\r\ndata: b\r\n\r\n']],
  ['comments and other fields', [': keep-alive\n\n', 'event: x\nid: 1\ndata: a\n\n', 'data:b\n\n']],
  ['an unfinished last message', ['data: a\n\ndata: b\n\ndata: c']],
])('%s', async (_, parts) => {
  const data: string[] = [];
  for await (const payload of sseData(body(...parts))) data.push(payload);
  expect(data).toEqual(['a', 'b']);
});

test('lines of one message belong together', async () => {
  const { value } = await sseData(body('data: a\ndata: b\n\n')).next();
  expect(value).toBe('a\nb');
});
