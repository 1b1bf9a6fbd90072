/** Counts what listens to abort signals: a request that is over must not be heard of again. */
export interface ListenerWatch {
  /** Listeners that were added since the start and neither removed nor used up. */
  open(): number;
  /** The client's own signal: what its HTTP library does with it is not the server's doing. */
  exempt(signal: AbortSignal): void;
  stop(): void;
}

type Add = AbortSignal['addEventListener'];
type Remove = AbortSignal['removeEventListener'];

export function watchAbortListeners(): ListenerWatch {
  const open = new Map<AbortSignal, Set<unknown>>();
  const exempt = new WeakSet<AbortSignal>();
  const { prototype } = AbortSignal;
  const add = prototype.addEventListener;
  const remove = prototype.removeEventListener;

  function forget(signal: AbortSignal, listener: unknown): void {
    const listeners = open.get(signal);
    listeners?.delete(listener);
    if (listeners?.size === 0) open.delete(signal);
  }

  prototype.addEventListener = function (this: AbortSignal, ...args: Parameters<Add>) {
    const [type, listener, options] = args;
    if (type === 'abort' && !exempt.has(this) && !followsWeakly()) {
      open.set(this, (open.get(this) ?? new Set()).add(listener));
      const once = typeof options === 'object' && options.once === true;
      if (once) add.call(this, 'abort', () => forget(this, listener), { once: true });
    }
    return add.apply(this, args);
  } as Add;
  prototype.removeEventListener = function (this: AbortSignal, ...args: Parameters<Remove>) {
    forget(this, args[1]);
    return remove.apply(this, args);
  } as Remove;

  return {
    open: () => [...open.values()].reduce((total, listeners) => total + listeners.size, 0),
    exempt: (signal) => void exempt.add(signal),
    stop() {
      prototype.addEventListener = add;
      prototype.removeEventListener = remove;
    },
  };
}

/** Node's `Request` follows the signal that it is made with, by a weak reference: the listener goes with the request. */
function followsWeakly(): boolean {
  return new Error().stack?.includes('deps/undici') ?? false;
}
