/** The clients' service in workerd, and what a test wants to know of it; calls that are replayed byte for byte. */
import { once } from 'node:events';
import { request } from 'node:http';
import { expect, vi } from 'vitest';
import type { EditRequest } from '../../../src/engine/editing/edit-request.ts';
import type { GenerateRequest } from '../../../src/engine/request.ts';
import { startBareWorkerd } from './bare-workerd.ts';
import { EDITOR_KEY } from './client-service.ts';

export const BEARER = { authorization: `Bearer ${EDITOR_KEY}` };
export const API_KEY = { 'x-api-key': EDITOR_KEY };
export const WRONG_KEY = { authorization: 'Bearer sk-seedling-nobody' };

/** So many tokens take 15 s and more: what ends within `SOON_MS` was cancelled. */
export const ENDLESS = 3000;
const SOON_MS = 8000;

interface State {
  readonly steps: number;
  /** Tokens of the KV pool in use. */
  readonly held: number;
  readonly request: GenerateRequest | null;
  readonly edit: EditRequest | null;
}

type Headers = Readonly<Record<string, string>>;

export class ClientHost {
  readonly url: URL;
  readonly stop: () => Promise<void>;

  private constructor(url: URL, stop: () => Promise<void>) {
    this.url = url;
    this.stop = stop;
  }

  static async start(): Promise<ClientHost> {
    const { url, stop } = await startBareWorkerd('client-worker.ts');
    const host = new ClientHost(url, stop);
    // The first probe loads the model.
    await host.get('/health', {});
    return host;
  }

  /** `/v1`, where OpenAI's clients begin. */
  get v1(): string {
    return new URL('/v1', this.url).href;
  }

  get(path: string, headers: Headers): Promise<Response> {
    return fetch(new URL(path, this.url), { headers });
  }

  post(path: string, body: object, headers: Headers): Promise<Response> {
    return fetch(new URL(path, this.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  }

  async state(): Promise<State> {
    return (await this.get('/test/state', BEARER)).json() as Promise<State>;
  }

  /** What the engine was asked last. */
  async lastRequest(): Promise<GenerateRequest> {
    const { request } = await this.state();
    if (request === null) throw new Error('nothing was asked');
    return request;
  }

  async expectHeld(): Promise<void> {
    await vi.waitFor(async () => expect((await this.state()).held).toBeGreaterThanOrEqual(ENDLESS), {
      timeout: 10_000,
      interval: 20,
    });
  }

  /** All of the KV pool is free, long before the text would have ended, and nothing is computed any more. */
  async expectFreed(): Promise<void> {
    await vi.waitFor(async () => expect((await this.state()).held).toBe(0), { timeout: SOON_MS, interval: 20 });
    const { steps } = await this.state();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await this.state()).steps).toBe(steps);
  }

  /**
   * Sends a call that would take long, goes away once it runs, and expects its room back.
   * @param body asks for `ENDLESS` tokens
   */
  async expectCancelFrees(path: string, body: Readonly<Record<string, unknown>>, headers: Headers): Promise<void> {
    const call = request(new URL(path, this.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    });
    call.on('error', () => {});
    call.end(JSON.stringify(body));
    if (body.stream) {
      const [response] = await once(call, 'response');
      await once(response, 'data');
      await this.expectHeld();
      // As an aborted fetch does: the socket is closed, and the next write shows it.
      call.destroy();
    } else {
      await this.expectHeld();
      // Nothing is written before the end, so only a reset tells; Cloudflare tells of every aborted request so.
      call.socket?.resetAndDestroy();
    }
    await this.expectFreed();
  }
}
