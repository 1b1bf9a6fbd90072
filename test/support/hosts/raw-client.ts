/** An HTTP client that can vanish: it owns its socket and reads bytes as they come. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawClient {
  readonly #socket: Socket;
  #received = '';
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (part: string) => {
      this.#received += part;
      this.#wake();
    });
    socket.on('close', () => this.#wake());
    // A reset by the server is for the test to notice through what was received.
    socket.on('error', () => {});
  }

  /** Sends a completion request and returns at once. */
  static async post(url: URL, body: object): Promise<RawClient> {
    const socket = connect(Number(url.port), url.hostname);
    await once(socket, 'connect');
    const payload = JSON.stringify(body);
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`,
    );
    return new RawClient(socket);
  }

  get received(): string {
    return this.#received;
  }

  /** The connection is over, whoever ended it. */
  get ended(): boolean {
    return this.#socket.destroyed;
  }

  /** Resolves once the connection is over. */
  async end(): Promise<void> {
    if (!this.ended) await new Promise((resolve) => this.#socket.once('close', resolve));
  }

  /** Resolves once the bytes so far match. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#received)) {
      if (this.#socket.destroyed) throw new Error(`closed before ${pattern}: ${this.#received}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get closed(): boolean {
    return this.#socket.closed;
  }

  /** Stays connected, but reads no more. */
  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  /** Goes away at once: the peer is told by a reset, as Cloudflare tells it of an aborted request. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Goes away politely: to the peer this may be a client that only has nothing more to send, until it writes. */
  close(): void {
    this.#socket.destroy();
  }
}
