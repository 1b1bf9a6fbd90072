/** Writes a stream's messages: fills silences with comments, and gives up on a reader that takes nothing. */
import type { SSEStreamingApi } from 'hono/streaming';
import type { Patience } from '../middleware/call.ts';

/** Other words are known to end a stream for some clients: Continue takes `: ping` for its end. */
const COMMENT = ': keep-alive\n\n';

export class EventWriter {
  readonly #stream: SSEStreamingApi;
  readonly #patience: Patience;
  readonly #onStall: () => void;
  #silence: ReturnType<typeof setTimeout> | undefined;
  /** Writes that the reader has not taken yet. */
  #pending = 0;
  #closed = false;

  /** @param onStall called when the reader has taken nothing for too long; the stream is aborted next */
  constructor(stream: SSEStreamingApi, patience: Patience, onStall: () => void) {
    this.#stream = stream;
    this.#patience = patience;
    this.#onStall = onStall;
    this.#listen();
  }

  /** Resolves when the reader has room for it, or is gone. */
  message(data: string): Promise<void> {
    return this.#write(() => this.#stream.writeSSE({ data }));
  }

  /** Bytes of another stream of events. */
  bytes(chunk: Uint8Array): Promise<void> {
    return this.#write(() => this.#stream.write(chunk));
  }

  /** No more comments. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#silence);
  }

  #listen(): void {
    if (this.#closed) return;
    this.#silence = setTimeout(() => void this.#comment(), this.#patience.keepAliveSeconds * 1000);
  }

  async #comment(): Promise<void> {
    // Behind an unread message a comment would only wait.
    if (this.#pending === 0) await this.#write(() => this.#stream.write(COMMENT));
  }

  async #write(write: () => Promise<unknown>): Promise<void> {
    clearTimeout(this.#silence);
    this.#pending++;
    const stall = setTimeout(() => this.#drop(), this.#patience.stallSeconds * 1000);
    try {
      await write();
    } finally {
      clearTimeout(stall);
      this.#pending--;
      if (this.#pending === 0) this.#listen();
    }
  }

  #drop(): void {
    this.close();
    this.#onStall();
    // Lets go of the writes that wait.
    this.#stream.abort();
  }
}
