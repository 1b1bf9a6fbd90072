/** Reads a file over HTTP and continues where a transfer broke (RFC 9110, sections 13.1.5 and 14). */

export interface TransferPatience {
  /** Failures in a row before giving up. A connection that delivered a megabyte resets the count. */
  readonly retries: number;
  /** Wait before the first retry, in milliseconds. It doubles with each retry, up to 32 times the first. */
  readonly backoffMs: number;
  /** Longest time without a byte on an open connection, in milliseconds. */
  readonly silenceMs: number;
}

const PATIENCE: TransferPatience = { retries: 5, backoffMs: 500, silenceMs: 30_000 };

export interface TransferOptions {
  readonly fetch?: typeof fetch;
  readonly headers?: Readonly<Record<string, string>>;
  readonly patience?: Partial<TransferPatience>;
}

/** The file could not be fetched. The message names it, and the status if there was one. */
export class TransferError extends Error {
  override readonly name = 'TransferError';
  /** The server did not answer, or failed: a later try may succeed. */
  readonly temporary: boolean;
  constructor(message: string, temporary: boolean, options?: ErrorOptions) {
    super(message, options);
    this.temporary = temporary;
  }
}

/** Bytes on one connection after which earlier failures no longer count. */
const PROGRESS = 1 << 20;
const MOST_DOUBLINGS = 5;
const RETRIED = new Set([408, 425, 429]);

/**
 * @param file its name in errors
 * @param from first byte that is wanted
 * @throws TransferError
 */
export async function* transfer(
  url: string,
  file: string,
  { fetch: get = fetch, headers = {}, patience }: TransferOptions = {},
  from = 0,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const { retries, backoffMs, silenceMs } = { ...PATIENCE, ...patience };
  const wanted: Wanted = { file, at: from, total: null, validator: null };
  for (let failures = 0; ; ) {
    const before = wanted.at;
    const connection = new Connection(silenceMs);
    try {
      const response = await connection.waitFor(get(url, request(wanted, headers, connection.signal)));
      if (isAllThere(response, wanted)) return;
      let skip = accept(response, wanted);
      for await (const chunk of connection.read(response)) {
        const piece = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - piece.length;
        if (piece.length === 0) continue;
        wanted.at += piece.length;
        yield piece;
      }
      if (wanted.total === null || wanted.at === wanted.total) return;
      const where = `at byte ${wanted.at} of ${wanted.total}`;
      throw new TransferError(`${file} cannot be read: the answer ended ${where}`, wanted.at < wanted.total);
    } catch (error) {
      if (error instanceof TransferError && !error.temporary) throw error;
      failures = wanted.at - before >= PROGRESS ? 1 : failures + 1;
      if (failures > retries) throw lastWord(file, error, failures);
    } finally {
      connection.close();
    }
    await new Promise((resolve) => setTimeout(resolve, backoffMs * 2 ** Math.min(failures - 1, MOST_DOUBLINGS)));
  }
}

interface Wanted {
  readonly file: string;
  /** Next byte. */
  at: number;
  /** Size of the file, once an answer has said it. */
  total: number | null;
  /** ETag or date by which the first answer identified the content. */
  validator: string | null;
}

function request(
  { at, validator }: Wanted,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): RequestInit {
  // Compressed bytes could not be continued.
  const all: Record<string, string> = { ...headers, 'accept-encoding': 'identity' };
  if (at > 0) all.range = `bytes=${at}-`;
  if (at > 0 && validator !== null) all['if-range'] = validator;
  return { headers: all, signal };
}

/** Whether every byte is there already: a server answers 416 to a range that begins after the last byte. */
function isAllThere({ status, headers }: Response, { at, total }: Wanted): boolean {
  return status === 416 && total === null && headers.get('content-range') === `bytes */${at}`;
}

/** Checks an answer. @returns bytes at its beginning that were read before */
function accept(response: Response, wanted: Wanted): number {
  const { file, at } = wanted;
  const { status } = response;
  if (status === 404 || status === 410) throw new TransferError(`${file} is missing (status ${status})`, false);
  if (status !== 200 && status !== 206) {
    throw new TransferError(`${file} cannot be read: status ${status}`, RETRIED.has(status) || status >= 500);
  }
  const changed = () => new TransferError(`${file} changed on the server while it was read`, false);
  const identified = validatorOf(response);
  if (wanted.validator !== null && identified !== null && identified !== wanted.validator) throw changed();
  wanted.validator ??= identified;
  if (status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
    if (Number(first) !== at)
      throw new TransferError(`${file}: the server answered with other bytes than asked for`, false);
    if (total !== '*') {
      if (wanted.total !== null && wanted.total !== Number(total)) throw changed();
      wanted.total = Number(total);
    }
    return 0;
  }
  const encoded = (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
  const length = response.headers.get('content-length');
  if (length !== null && !encoded) {
    if (wanted.total !== null && wanted.total !== Number(length)) throw changed();
    wanted.total = Number(length);
  }
  return at;
}

/** A strong ETag, else the date; null if the answer has neither. */
function validatorOf({ headers }: Response): string | null {
  const etag = headers.get('etag');
  return etag !== null && !etag.startsWith('W/') ? etag : headers.get('last-modified');
}

/** One request, given up when it is silent for too long. Waiting for the consumer does not count. */
class Connection {
  readonly #silenceMs: number;
  readonly #abort = new AbortController();

  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async waitFor<T>(answer: Promise<T>): Promise<T> {
    const silence = new Error(`silent for ${this.#silenceMs / 1000} s`);
    const timer = setTimeout(() => this.#abort.abort(silence), this.#silenceMs);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  async *read({ body }: Response): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    if (body === null) return;
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await this.waitFor(reader.read());
      if (done) return;
      yield value;
    }
  }

  /** Drops bytes that have not arrived. */
  close(): void {
    this.#abort.abort();
  }
}

function lastWord(file: string, error: unknown, tries: number): TransferError {
  const reason = error instanceof TransferError ? error.message : `${file} cannot be read: ${describe(error)}`;
  return new TransferError(`${reason}, ${tries} times`, true, { cause: error });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's fetch keeps the reason in the cause.
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause ? String(cause.code) : cause.message;
}
