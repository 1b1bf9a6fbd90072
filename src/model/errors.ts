/** Errors of a model: no room for a request's KV, a file that does not load, no adapter. */

/** The request is fine, but its KV does not fit now (`retryable`) or ever. */
export class OutOfMemoryError extends Error {
  override readonly name = 'OutOfMemoryError';
  readonly retryable: boolean;
  constructor(message: string, retryable: boolean) {
    super(message);
    this.retryable = retryable;
  }
}

/** A weight shard, the manifest or the configuration is missing, corrupt or does not fit. Names the file. */
export class ModelLoadError extends Error {
  override readonly name = 'ModelLoadError';
}

/** WebGPU was chosen, and there is no adapter here, or no WebGPU at all. */
export class NoAdapterError extends ModelLoadError {}
