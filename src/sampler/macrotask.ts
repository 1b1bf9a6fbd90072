interface WorkerdScheduler {
  wait(ms: number): Promise<void>;
}

/**
 * Resolves in a later macrotask. Between two of these a host can deliver socket events: without one per denoise
 * step, workerd never notices that a client went away.
 */
export const nextMacrotask: () => Promise<void> = pick();

function pick(): () => Promise<void> {
  const { scheduler, setImmediate } = globalThis as {
    scheduler?: Partial<WorkerdScheduler>;
    setImmediate?: (run: () => void) => unknown;
  };
  // workerd first: its setImmediate exists only under nodejs_compat.
  if (typeof scheduler?.wait === 'function') return () => (scheduler as WorkerdScheduler).wait(0);
  if (typeof setImmediate === 'function') return () => new Promise((resolve) => void setImmediate(resolve));
  // Browsers clamp nested timers to 4 ms, a message is delivered at once.
  return () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
}
