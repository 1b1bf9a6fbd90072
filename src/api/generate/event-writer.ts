/** Writes a stream's messages. It fills silences with comments, and gives up on a reader that takes nothing. */
import type { SSEStreamingApi } from 'hono/streaming';
import type { Call } from '../middleware/call.ts';

/** Other words are known to end a stream for some clients: Continue takes `: ping` for its end. */
const COMMENT = ': keep-alive\n\n';

/** The stream opens with the first message, or with a comment when that is long in coming. */
export class EventWriter {
  readonly #call: Call;
  readonly #open: () => SSEStreamingApi;
  #stream: SSEStreamingApi | null = null;
  /** The clock of keep-alives: runs while nothing is being written. */
  #silence: ReturnType<typeof setTimeout> | undefined;
  /** Writes that the reader has not taken yet. */
  #pending = 0;
  #closed = false;

  /** @param open starts the answer; called once */
  constructor(call: Call, open: () => SSEStreamingApi) {
    this.#call = call;
    this.#open = open;
    this.#listen();
  }

  get isOpen(): boolean {
    return this.#stream !== null;
  }

  /** Resolves when the reader has room for it, or is gone. */
  message(data: string): Promise<void> {
    return this.#write((stream) => stream.writeSSE({ data }));
  }

  /** No more comments. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#silence);
  }

  #listen(): void {
    if (this.#closed) return;
    this.#silence = setTimeout(() => void this.#comment(), this.#call.patience.keepAliveSeconds * 1000);
  }

  async #comment(): Promise<void> {
    await this.#write((stream) => stream.write(COMMENT));
  }

  async #write(write: (stream: SSEStreamingApi) => Promise<unknown>): Promise<void> {
    clearTimeout(this.#silence);
    this.#stream ??= this.#open();
    const stream = this.#stream;
    this.#pending++;
    const stall = setTimeout(() => this.#drop(stream), this.#call.patience.stallSeconds * 1000);
    try {
      await write(stream);
    } finally {
      clearTimeout(stall);
      this.#pending--;
      if (this.#pending === 0) this.#listen();
    }
  }

  #drop(stream: SSEStreamingApi): void {
    this.close();
    this.#call.end('stalled');
    this.#call.cut();
    // Lets go of the writes that wait.
    stream.abort();
  }
}
