/** The engine as one call may use it: with the cache of its client, until its deadline, and counted. */

import { ApiError, DEADLINE_EXCEEDED } from '../errors.ts';
import type { Admitted, Engine } from '../host.ts';
import type { Call } from '../middleware/call.ts';

/** However many requests a call makes of it, none can miss the three. */
export function engineOf(call: Call, engine: Engine): Engine {
  const { cacheKey } = call.client;
  return {
    model: engine.model,
    queue: engine.queue,
    tokenizer: engine.tokenizer,
    check: (request) => engine.check(request),
    admit(request, signal) {
      return admitInTime(call, signal, (work) => engine.admit({ ...request, cacheKey }, work));
    },
    admitEdit: (request, signal) => admitInTime(call, signal, (work) => engine.admitEdit(request, work)),
  };
}

type Countable = Parameters<Call['count']>[0];

/**
 * @param admit gets a signal that aborts with `signal`, and at the deadline with the error to show
 * @throws what `admit` throws; ApiError 504 after the deadline
 */
async function admitInTime<E extends Countable>(
  call: Call,
  signal: AbortSignal,
  admit: (work: AbortSignal) => Promise<Admitted<E>>,
): Promise<Admitted<E>> {
  const work = new AbortController();
  const abort = () => work.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  const alarm = setTimeout(() => work.abort(deadline(call)), Math.max(call.msLeft, 0));
  const unwatch = () => {
    clearTimeout(alarm);
    signal.removeEventListener('abort', abort);
  };
  try {
    const admitted = await admit(work.signal);
    return {
      run: () => counted(admitted.run(work.signal), call),
      release() {
        unwatch();
        return admitted.release();
      },
    };
  } catch (error) {
    unwatch();
    throw error;
  }
}

function deadline(call: Call): ApiError {
  call.end('deadline');
  const message = `The request took longer than the ${call.patience.requestSeconds} seconds that this server allows.`;
  return new ApiError(504, message, DEADLINE_EXCEEDED);
}

async function* counted<E extends Countable>(events: AsyncGenerator<E>, call: Call): AsyncGenerator<E> {
  for await (const event of events) {
    call.count(event);
    yield event;
  }
}
