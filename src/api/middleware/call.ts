/** One HTTP request as the service sees it: who asks, how long it may take, and what it has cost. */
import type { EngineEvent } from '../../engine/job.ts';

/** Who asks. */
export interface Client {
  /** The name of the key; null where access is open. */
  readonly keyName: string | null;
  /** `GenerateRequest.cacheKey`. No two clients share it, so neither can tell what the other has asked. */
  readonly cacheKey: string;
  /** Whose share of places and memory its requests take. A client may have several caches and has one share. */
  readonly shareKey: string;
}

/** The client of a call until access is decided, and in a public area. */
const NOBODY: Client = { keyName: null, cacheKey: '', shareKey: '' };

/** How long the service waits for what, in seconds. */
export interface Patience {
  /** Longest life of a request. */
  readonly requestSeconds: number;
  /** Longest silence in a stream, and before one. */
  readonly keepAliveSeconds: number;
  /** Longest time that a reader may take nothing. */
  readonly stallSeconds: number;
}

/** How a request ended that did not run to its end; its HTTP status may have been sent long before. */
export type Ending = 'client_gone' | 'deadline' | 'stalled' | 'error';

export class Call {
  readonly id: string;
  /** Where it comes from, as limits count it. */
  readonly address: string;
  readonly patience: Patience;
  readonly start = performance.now();
  client = NOBODY;
  /** The first that applied; null while everything goes well. */
  ending: Ending | null = null;
  /** The value of the header that names what was left out of the body; null where nothing was. */
  ignored: string | null = null;
  promptTokens = 0;
  cachedTokens = 0;
  completionTokens = 0;
  nfe = 0;
  /** Cuts the connection, where the host can. */
  readonly cut: () => void;

  readonly #gone = new AbortController();
  readonly #parts: Promise<unknown>[] = [];

  constructor(id: string, address: string, patience: Patience, cut: () => void) {
    this.id = id;
    this.address = address;
    this.patience = patience;
    this.cut = cut;
  }

  /** Aborts when the client turns out to have gone away in a way that the request's own signal does not show. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  hangUp(): void {
    this.#gone.abort();
  }

  /** Milliseconds until the deadline. */
  get msLeft(): number {
    return this.start + this.patience.requestSeconds * 1000 - performance.now();
  }

  get ms(): number {
    return performance.now() - this.start;
  }

  end(how: Ending): void {
    this.ending ??= how;
  }

  /** Adds up what everything that this request asked for has cost. */
  count(event: EngineEvent): void {
    if (event.type !== 'done') return;
    const { usage, cost } = event;
    this.promptTokens += usage.promptTokens;
    this.cachedTokens += usage.cachedTokens;
    this.completionTokens += usage.completionTokens;
    this.nfe += cost.nfe;
  }

  /** The request is not over before `part` is. */
  lastsFor(part: Promise<unknown>): void {
    this.#parts.push(part);
  }

  /** Resolves once everything that `lastsFor` was told of is over; null when nothing is. */
  over(): Promise<void> | null {
    const part = this.#parts.pop();
    if (part === undefined) return null;
    return part.then(
      () => this.over() ?? undefined,
      () => this.over() ?? undefined,
    );
  }
}

declare module 'hono' {
  interface ContextVariableMap {
    call: Call;
  }
}
