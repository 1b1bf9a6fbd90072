/** Opens the call that every other middleware and every route finds in the context. */
import type { Context, MiddlewareHandler } from 'hono';
import { requestId } from 'hono/request-id';
import { Call, type Patience } from './call.ts';
import { addressGroup } from './client-address.ts';
import type { Drain } from './drain.ts';
import { holdOpen } from './hold-open.ts';
import { type RequestRecord, recordOf } from './record.ts';

/** What a host adds to a call. */
export interface CallHost {
  /** The caller's address; null where the host does not know it. */
  address(c: Context): string | null;
  /** Cuts the connection of a reader that takes nothing; does nothing where a host cannot. */
  cut(c: Context): void;
  /** Called once a request is over. */
  record(record: RequestRecord): void;
  readonly drain: Drain;
}

const LONGEST_REQUEST_ID = 128;

/** Names the request, opens its call, and records the call when its last byte is out. */
export function openCall(patience: Patience, host: CallHost): MiddlewareHandler[] {
  return [requestId({ limitLength: LONGEST_REQUEST_ID }), recorded(patience, host)];
}

function recorded(patience: Patience, { address, cut, record, drain }: CallHost): MiddlewareHandler {
  return async function call(c, next) {
    const id = c.get('requestId');
    const call = new Call(id, addressGroup(address(c) ?? 'unknown'), patience, () => cut(c));
    c.set('call', call);
    drain.enter();
    const end = () => {
      drain.leave();
      record(recordOf(c, call, status));
    };
    let status = 500;
    try {
      await next();
      status = c.res.status;
    } finally {
      // An answer that was built without the context has none of its headers.
      c.header('x-request-id', id);
      const over = call.over();
      if (over === null) end();
      else holdOpen(c, over.then(end));
    }
  };
}
