/** Server-sent events of a response's body: the payloads of `data:` lines. `EventSource` cannot POST. */
import { EventSourceParserStream } from 'eventsource-parser/stream';

/** @throws whatever reading the body throws */
export async function* sseData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const text = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
  const reader = text.pipeThrough(new EventSourceParserStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value.data;
    }
  } finally {
    await reader.cancel();
  }
}
