/** Errors in OpenAI's form: `{"error": {message, type, param, code}}` with a fitting status. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { BusyError } from '../engine/queue.ts';
import { RequestError } from '../engine/request.ts';
import { ModelLoadError, OutOfMemoryError } from '../model/errors.ts';

/** `requests` is what OpenAI calls a limit on requests, beside one on tokens. */
type ErrorType = 'invalid_request_error' | 'requests' | 'server_error';

/** OpenAI's error body. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: ErrorType;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** An answer other than success. The message is shown to the caller. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: ContentfulStatusCode;
  readonly code: string | null;
  readonly param: string | null;
  readonly retryAfterSeconds: number | null;
  constructor(
    status: ContentfulStatusCode,
    message: string,
    code: string | null,
    param: string | null = null,
    retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  body(): ErrorBody {
    return { error: { message: this.message, type: this.#type(), param: this.param, code: this.code } };
  }

  #type(): ErrorType {
    if (this.status === 429) return 'requests';
    return this.status >= 500 ? 'server_error' : 'invalid_request_error';
  }
}

/** The code of a request that took longer than it may. */
export const DEADLINE_EXCEEDED = 'deadline_exceeded';

const HTTP_CODES: Readonly<Record<number, string>> = {
  400: 'invalid_json',
  413: 'request_too_large',
  415: 'unsupported_media_type',
};

/** What the caller may know of any error; an unexpected one is logged here and shown as a bare 500. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof RequestError) return new ApiError(400, error.message, error.code, error.param);
  if (error instanceof BusyError) return busy(error);
  if (error instanceof OutOfMemoryError) {
    return error.retryable
      ? new ApiError(503, error.message, 'overloaded', null, 1)
      : new ApiError(400, error.message, 'context_length_exceeded');
  }
  if (error instanceof ModelLoadError) return new ApiError(503, error.message, 'model_load_failed', null, 5);
  if (error instanceof HTTPException && error.status < 500) {
    const status = error.status as ContentfulStatusCode;
    return new ApiError(status, error.message, HTTP_CODES[status] ?? null);
  }
  console.error('Unexpected error:', error);
  return new ApiError(500, 'The server failed to answer this request.', 'internal_error');
}

/**
 * OpenAI's clients retry 429 and 503 after `retry-after`. What is built on them tells the two kinds of 429 apart by code:
 * `rate_limit_exceeded` is worth a retry, `insufficient_quota` is not.
 */
function busy({ reason, message, retryAfterSeconds }: BusyError): ApiError {
  return reason === 'full'
    ? new ApiError(429, message, 'rate_limit_exceeded', null, retryAfterSeconds)
    : new ApiError(503, message, 'overloaded', null, retryAfterSeconds);
}

/** The HTTP answer for an error before the first byte. */
export function errorResponse(c: Context, error: unknown): Response {
  const apiError = toApiError(error);
  if (apiError.retryAfterSeconds !== null) c.header('retry-after', String(apiError.retryAfterSeconds));
  // What took too long once would again; OpenAI's clients retry every 5xx that does not say so.
  if (apiError.code === DEADLINE_EXCEEDED) c.header('x-should-retry', 'false');
  return c.json(apiError.body(), apiError.status);
}
